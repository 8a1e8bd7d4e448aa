package canvas

import "slices"

// subscribers are functions to be called after every change of something.
type subscribers[F any] []*subscriber[F]

type subscriber[F any] struct{ fn F }

// add adds fn and returns the function that takes it away again.
func (s *subscribers[F]) add(fn F) (cancel func()) {
	one := &subscriber[F]{fn}
	*s = append(*s, one)
	return func() { *s = slices.DeleteFunc(*s, func(k *subscriber[F]) bool { return k == one }) }
}
