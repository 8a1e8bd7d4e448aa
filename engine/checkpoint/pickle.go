package checkpoint

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Values that a pickle can hold, besides nil, bool, int64, float64, string,
// []byte and *big.Int.
type (
	tuple []any
	list  struct{ items []any }
	dict  struct {
		keys, values []any
		index        map[string]int
	}
	// global is a name that a pickle would import.
	global struct{ module, name string }
	// object is anything that a pickle would construct by calling what is not known
	// here. Nothing is called; what it was to be made of is kept.
	object struct {
		class global
		args  any
		state any
		items *dict
	}
	// storage is a run of numbers that tensors are views of.
	storage struct {
		kind elementKind
		key  string
		len  int64
		data []byte // nil until loaded
	}
	// view is a tensor: a storage seen through offset, size and strides.
	view struct {
		store         *storage
		offset        int64
		size, strides []int64
	}
)

func newDict() *dict { return &dict{index: map[string]int{}} }

func (d *dict) set(key, value any) {
	if s, ok := key.(string); ok {
		if i, ok := d.index[s]; ok {
			d.values[i] = value
			return
		}
		d.index[s] = len(d.keys)
	}
	d.keys = append(d.keys, key)
	d.values = append(d.values, value)
}

func (d *dict) get(key string) (any, bool) {
	i, ok := d.index[key]
	if !ok {
		return nil, false
	}
	return d.values[i], true
}

// asDict returns the entries of a dictionary or of an object that behaves like one.
func asDict(v any) (*dict, bool) {
	switch v := v.(type) {
	case *dict:
		return v, true
	case *object:
		if v.items != nil {
			return v.items, true
		}
	}
	return nil, false
}

type elementKind struct {
	name string
	size int64
	at   func(b []byte) float32
}

// elementKinds are the storages of torch by the name of their class.
var elementKinds = map[string]elementKind{
	"FloatStorage": {"float", 4, func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }},
	"DoubleStorage": {"double", 8, func(b []byte) float32 {
		return float32(math.Float64frombits(binary.LittleEndian.Uint64(b)))
	}},
	"HalfStorage":     {"half", 2, func(b []byte) float32 { return half(binary.LittleEndian.Uint16(b)) }},
	"BFloat16Storage": {"bfloat16", 2, func(b []byte) float32 { return math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16) }},
	"LongStorage":     {"long", 8, func(b []byte) float32 { return float32(int64(binary.LittleEndian.Uint64(b))) }},
	"IntStorage":      {"int", 4, func(b []byte) float32 { return float32(int32(binary.LittleEndian.Uint32(b))) }},
	"ShortStorage":    {"short", 2, func(b []byte) float32 { return float32(int16(binary.LittleEndian.Uint16(b))) }},
	"CharStorage":     {"char", 1, func(b []byte) float32 { return float32(int8(b[0])) }},
	"ByteStorage":     {"byte", 1, func(b []byte) float32 { return float32(b[0]) }},
	"BoolStorage":     {"bool", 1, func(b []byte) float32 { return float32(b[0]) }},
}

// half converts an IEEE 754 binary16 number.
func half(h uint16) float32 {
	exp, frac := int(h>>10)&0x1f, float64(h&0x3ff)
	v := math.Ldexp(frac, -24)
	switch {
	case exp == 0x1f && frac != 0:
		v = math.NaN()
	case exp == 0x1f:
		v = math.Inf(1)
	case exp != 0:
		v = math.Ldexp(1024+frac, exp-25)
	}
	if h&0x8000 != 0 {
		v = -v
	}
	return float32(v)
}

// Limits of the interpreter.
const (
	maxNesting = 64 // legacy files inside pickles
	maxLong    = 64 // bytes of an integer
)

type mark struct{}

// machine interprets one pickle.
type machine struct {
	data  []byte
	pos   int
	stack []any
	memo  map[int64]any
	// storages are those met so far, by key, so that tensors share them.
	storages map[string]*storage
	depth    int
}

// unpickle interprets the pickle at the start of data and returns its value, the
// storages it refers to, and the number of bytes it takes.
func unpickle(data []byte, depth int) (value any, storages map[string]*storage, n int, err error) {
	m := &machine{data: data, memo: map[int64]any{}, storages: map[string]*storage{}, depth: depth}
	value, err = m.run()
	if err != nil {
		return nil, nil, 0, fmt.Errorf("%w: pickle, byte %d: %w", ErrFormat, m.pos, err)
	}
	return value, m.storages, m.pos, nil
}

func (m *machine) run() (any, error) {
	for {
		if m.pos >= len(m.data) {
			return nil, fmt.Errorf("it ends early")
		}
		op := m.data[m.pos]
		m.pos++
		if op == '.' {
			v, err := m.pop()
			if err != nil {
				return nil, err
			}
			return v, nil
		}
		if err := m.step(op); err != nil {
			return nil, fmt.Errorf("opcode %#02x: %w", op, err)
		}
	}
}

func (m *machine) push(v any) { m.stack = append(m.stack, v) }

func (m *machine) pop() (any, error) {
	if len(m.stack) == 0 {
		return nil, fmt.Errorf("the stack is empty")
	}
	v := m.stack[len(m.stack)-1]
	m.stack = m.stack[:len(m.stack)-1]
	if _, ok := v.(mark); ok {
		return nil, fmt.Errorf("a mark is in the way")
	}
	return v, nil
}

func (m *machine) top() (any, error) {
	v, err := m.pop()
	if err == nil {
		m.push(v)
	}
	return v, err
}

// popMark removes everything above the topmost mark, and the mark.
func (m *machine) popMark() ([]any, error) {
	for i := len(m.stack) - 1; i >= 0; i-- {
		if _, ok := m.stack[i].(mark); ok {
			items := append([]any(nil), m.stack[i+1:]...)
			m.stack = m.stack[:i]
			return items, nil
		}
	}
	return nil, fmt.Errorf("there is no mark")
}

// take returns the next n bytes, which stay shared with the file.
func (m *machine) take(n uint64) ([]byte, error) {
	if n > uint64(len(m.data)-m.pos) {
		return nil, fmt.Errorf("%d bytes are claimed, %d are left", n, len(m.data)-m.pos)
	}
	b := m.data[m.pos : m.pos+int(n) : m.pos+int(n)]
	m.pos += int(n)
	return b, nil
}

// number reads a little-endian unsigned number of n bytes.
func (m *machine) number(n int) (uint64, error) {
	b, err := m.take(uint64(n))
	if err != nil {
		return 0, err
	}
	var buf [8]byte
	copy(buf[:], b)
	return binary.LittleEndian.Uint64(buf[:]), nil
}

// sized reads a length of n bytes and that many bytes.
func (m *machine) sized(n int) ([]byte, error) {
	length, err := m.number(n)
	if err != nil {
		return nil, err
	}
	return m.take(length)
}

func (m *machine) line() (string, error) {
	i := bytes.IndexByte(m.data[m.pos:], '\n')
	if i < 0 {
		return "", fmt.Errorf("a line does not end")
	}
	s := string(m.data[m.pos : m.pos+i])
	m.pos += i + 1
	return s, nil
}

// step does one operation. Each value it makes is pushed; operations that make none return.
func (m *machine) step(op byte) error {
	var v any
	var err error
	switch op {
	case 0x80: // PROTO
		var n uint64
		if n, err = m.number(1); err == nil && n > 5 {
			err = fmt.Errorf("protocol %d is not known", n)
		}
		return err
	case 0x95: // FRAME
		_, err = m.number(8)
		return err
	case '(':
		m.push(mark{})
		return nil
	case '0':
		if len(m.stack) == 0 {
			return fmt.Errorf("the stack is empty")
		}
		m.stack = m.stack[:len(m.stack)-1]
		return nil
	case '1':
		_, err = m.popMark()
		return err
	case '2':
		v, err = m.top()
	case 'N':
	case 0x88:
		v = true
	case 0x89:
		v = false
	case ']', 0x8f:
		v = &list{}
	case '}':
		v = newDict()
	case ')':
		v = tuple{}
	case 'I', 'L', 'J', 'K', 'M', 0x8a, 0x8b, 'F', 'G':
		v, err = m.readNumber(op)
	case 'S', 'T', 'U', 'V', 'X', 0x8c, 0x8d, 'B', 'C', 0x8e, 0x96:
		v, err = m.readString(op)
	case 'p', 'q', 'r', 0x94:
		return m.remember(op)
	case 'g', 'h', 'j':
		v, err = m.recall(op)
	case 'a', 'e', 0x90, 's', 'u', 'b':
		return m.change(op)
	default:
		v, err = m.build(op)
	}
	if err == nil {
		m.push(v)
	}
	return err
}

// widths are the bytes of the number, or of the length, that follows an operation.
var widths = map[byte]int{
	'K': 1, 'M': 2, 'J': 4, 0x8a: 1, 0x8b: 4,
	'U': 1, 'T': 4, 0x8c: 1, 'X': 4, 0x8d: 8, 'C': 1, 'B': 4, 0x8e: 8, 0x96: 8,
	'q': 1, 'h': 1, 'r': 4, 'j': 4,
}

// decimal reads a line with an integer.
func (m *machine) decimal() (int64, error) {
	s, err := m.line()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSuffix(s, "L"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%.40q is not a number", s)
	}
	return n, nil
}

func (m *machine) readNumber(op byte) (any, error) {
	switch op {
	case 'I':
		// Protocol 0 spells booleans as the integers 00 and 01.
		if rest := m.data[m.pos:]; len(rest) > 2 && rest[0] == '0' && rest[1]|1 == '1' && rest[2] == '\n' {
			m.pos += 3
			return rest[1] == '1', nil
		}
		return anyOf(m.decimal())
	case 'L':
		return anyOf(m.decimal())
	case 'K', 'M':
		n, err := m.number(widths[op])
		return int64(n), err
	case 'J':
		n, err := m.number(widths[op])
		return int64(int32(uint32(n))), err
	case 'F':
		s, err := m.line()
		if err != nil {
			return nil, err
		}
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return nil, fmt.Errorf("%.40q is not a number", s)
		}
		return f, nil
	case 'G':
		b, err := m.take(8)
		if err != nil {
			return nil, err
		}
		return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
	}
	b, err := m.sized(widths[op])
	if err != nil {
		return nil, err
	}
	if len(b) > maxLong {
		return nil, fmt.Errorf("an integer of %d bytes", len(b))
	}
	return integer(b), nil
}

// anyOf makes the results of a typed reader those of an operation.
func anyOf[T any](v T, err error) (any, error) { return v, err }

// integer reads little-endian two's complement.
func integer(b []byte) any {
	if len(b) == 0 {
		return int64(0)
	}
	negative := b[len(b)-1]&0x80 != 0
	if len(b) <= 8 {
		var buf [8]byte
		if negative {
			buf = [8]byte{255, 255, 255, 255, 255, 255, 255, 255}
		}
		copy(buf[:], b)
		return int64(binary.LittleEndian.Uint64(buf[:]))
	}
	turned := make([]byte, len(b))
	for i, x := range b {
		turned[len(b)-1-i] = x
	}
	n := new(big.Int).SetBytes(turned)
	if negative {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}

// rawUnicode decodes Python's raw-unicode-escape: bytes are Latin-1, \uXXXX and \UXXXXXXXX are code
// points, and a backslash before anything else stands for itself.
func rawUnicode(line string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(line); i++ {
		c := line[i]
		if c != '\\' || i+1 == len(line) {
			out.WriteRune(rune(c))
			continue
		}
		i++
		digits := map[byte]int{'u': 4, 'U': 8}[line[i]]
		if digits == 0 {
			out.WriteByte('\\')
			out.WriteRune(rune(line[i]))
			continue
		}
		if len(line)-i-1 < digits {
			return "", fmt.Errorf("a string ends within an escape")
		}
		v, err := strconv.ParseUint(line[i+1:i+1+digits], 16, 32)
		if err != nil || v > utf8.MaxRune {
			return "", fmt.Errorf("a string has the escape \\%.9q, want the number of a character", line[i:i+1+digits])
		}
		out.WriteRune(rune(v))
		i += digits
	}
	return out.String(), nil
}

func (m *machine) readString(op byte) (any, error) {
	switch op {
	case 'S':
		s, err := m.line()
		if err != nil {
			return nil, err
		}
		if len(s) < 2 || s[0] != s[len(s)-1] || s[0] != '\'' && s[0] != '"' {
			return nil, fmt.Errorf("a string without quotes")
		}
		// Escapes occur in no name that matters here.
		return s[1 : len(s)-1], nil
	case 'V':
		line, err := m.line()
		if err != nil {
			return nil, err
		}
		return anyOf(rawUnicode(line))
	}
	b, err := m.sized(widths[op])
	if err != nil {
		return nil, err
	}
	switch op {
	case 'B', 'C', 0x8e, 0x96:
		return b, nil
	}
	return string(b), nil
}

// place reads where a value is remembered.
func (m *machine) place(op byte) (int64, error) {
	if op == 'p' || op == 'g' {
		return m.decimal()
	}
	n, err := m.number(widths[op])
	return int64(n), err
}

func (m *machine) remember(op byte) error {
	at := int64(len(m.memo))
	if op != 0x94 {
		var err error
		if at, err = m.place(op); err != nil {
			return err
		}
	}
	v, err := m.top()
	if err == nil {
		m.memo[at] = v
	}
	return err
}

func (m *machine) recall(op byte) (any, error) {
	at, err := m.place(op)
	if err != nil {
		return nil, err
	}
	v, ok := m.memo[at]
	if !ok {
		return nil, fmt.Errorf("nothing was remembered as %d", at)
	}
	return v, nil
}

// popN removes the n topmost values and returns them in the order in which they were pushed.
func (m *machine) popN(n int) (tuple, error) {
	t := make(tuple, n)
	for i := n - 1; i >= 0; i-- {
		var err error
		if t[i], err = m.pop(); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// change alters the value that is topmost once its arguments are gone.
func (m *machine) change(op byte) error {
	var args []any
	var err error
	switch op {
	case 'a', 'b':
		args, err = m.popN(1)
	case 's':
		args, err = m.popN(2)
	default:
		args, err = m.popMark()
	}
	if err != nil {
		return err
	}
	switch op {
	case 'a', 'e', 0x90:
		return m.extend(args)
	case 's', 'u':
		return m.setItems(args)
	}
	target, err := m.top()
	if o, ok := target.(*object); ok {
		o.state = args[0]
	}
	return err
}

// global reads a name as two lines.
func (m *machine) global() (any, error) {
	module, err := m.line()
	if err != nil {
		return nil, err
	}
	name, err := m.line()
	return global{module, name}, err
}

// build makes a value of others.
func (m *machine) build(op byte) (any, error) {
	switch op {
	case 'l', 't', 'd', 0x91:
		items, err := m.popMark()
		if err != nil {
			return nil, err
		}
		switch op {
		case 't':
			return tuple(items), nil
		case 'd':
			d := newDict()
			return d, setPairs(d, items)
		}
		return &list{items}, nil
	case 0x85, 0x86, 0x87:
		return anyOf(m.popN(int(op - 0x84)))
	case 'c':
		return m.global()
	case 0x93:
		names, err := m.popN(2)
		if err != nil {
			return nil, err
		}
		module, ok1 := names[0].(string)
		name, ok2 := names[1].(string)
		if !ok1 || !ok2 {
			return nil, fmt.Errorf("a name that is not a string")
		}
		return global{module, name}, nil
	case 'R', 0x81:
		args, err := m.popN(2)
		if err != nil {
			return nil, err
		}
		return m.call(args[0], args[1])
	case 0x92: // with keyword arguments, which no known function needs
		args, err := m.popN(3)
		if err != nil {
			return nil, err
		}
		return m.call(args[0], args[1])
	case 'i':
		class, err := m.global()
		if err != nil {
			return nil, err
		}
		items, err := m.popMark()
		if err != nil {
			return nil, err
		}
		return m.call(class, tuple(items))
	case 'o':
		items, err := m.popMark()
		if err != nil {
			return nil, err
		}
		if len(items) == 0 {
			return nil, fmt.Errorf("an object without a class")
		}
		return m.call(items[0], tuple(items[1:]))
	case 'P':
		if _, err := m.line(); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("a persistent id as text")
	case 'Q':
		id, err := m.pop()
		if err != nil {
			return nil, err
		}
		return m.persistent(id)
	}
	return nil, fmt.Errorf("it is not known")
}

func setPairs(d *dict, items []any) error {
	if len(items)%2 != 0 {
		return fmt.Errorf("a key without a value")
	}
	for i := 0; i < len(items); i += 2 {
		d.set(items[i], items[i+1])
	}
	return nil
}

func (m *machine) extend(items []any) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case *list:
		v.items = append(v.items, items...)
	case *object: // a subclass of list, whose elements are not needed
	default:
		return fmt.Errorf("elements for a %T", v)
	}
	return nil
}

func (m *machine) setItems(items []any) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case *dict:
		return setPairs(v, items)
	case *object:
		if v.items == nil {
			v.items = newDict()
		}
		return setPairs(v.items, items)
	}
	return fmt.Errorf("entries for a %T", v)
}

// call stands for calling what a name means: the few functions that make tensors
// and dictionaries are known, anything else becomes an inert object.
func (m *machine) call(fn, args any) (any, error) {
	name, ok := fn.(global)
	if !ok {
		return &object{args: args}, nil
	}
	list, _ := args.(tuple)
	switch name {
	case global{"collections", "OrderedDict"}:
		d := newDict()
		if len(list) == 1 {
			if err := pairs(d, list[0]); err != nil {
				return nil, err
			}
		}
		return d, nil
	case global{"torch._utils", "_rebuild_tensor_v2"}, global{"torch._utils", "_rebuild_tensor"}:
		return rebuild(list)
	case global{"torch._utils", "_rebuild_parameter"}:
		if len(list) > 0 {
			if v, ok := list[0].(*view); ok {
				return v, nil
			}
		}
		return nil, fmt.Errorf("a parameter without a tensor")
	case global{"torch.storage", "_load_from_bytes"}:
		if len(list) == 1 {
			if b, ok := list[0].([]byte); ok {
				return loadBytes(b, m.depth+1)
			}
		}
		return nil, fmt.Errorf("a storage without bytes")
	case global{"_codecs", "encode"}:
		// How protocol 2 spells bytes: a string of code points below 256.
		if len(list) > 0 {
			if s, ok := list[0].(string); ok {
				return latin1(s)
			}
		}
	}
	return &object{class: name, args: args}, nil
}

func latin1(s string) ([]byte, error) {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 255 {
			return nil, fmt.Errorf("bytes beyond 255")
		}
		b = append(b, byte(r))
	}
	return b, nil
}

func pairs(d *dict, v any) error {
	l, ok := v.(*list)
	if !ok {
		return fmt.Errorf("a dictionary of a %T", v)
	}
	for _, p := range l.items {
		switch p := p.(type) {
		case tuple:
			if len(p) == 2 {
				d.set(p[0], p[1])
				continue
			}
		case *list:
			if len(p.items) == 2 {
				d.set(p.items[0], p.items[1])
				continue
			}
		}
		return fmt.Errorf("an entry that is not a pair")
	}
	return nil
}

// rebuild makes a tensor of (storage, offset, size, strides, …).
func rebuild(args tuple) (any, error) {
	if len(args) < 4 {
		return nil, fmt.Errorf("a tensor of %d arguments", len(args))
	}
	s, ok := args[0].(*storage)
	if !ok {
		return nil, fmt.Errorf("a tensor without a storage")
	}
	v := &view{store: s}
	if v.offset, ok = args[1].(int64); !ok {
		return nil, fmt.Errorf("a tensor whose offset is not a number")
	}
	var err error
	if v.size, err = numbers(args[2]); err != nil {
		return nil, err
	}
	if v.strides, err = numbers(args[3]); err != nil {
		return nil, err
	}
	return v, v.check()
}

func numbers(v any) ([]int64, error) {
	var items []any
	switch v := v.(type) {
	case tuple:
		items = v
	case *list:
		items = v.items
	case *object: // torch.Size((…))
		if args, ok := v.args.(tuple); ok && len(args) == 1 {
			if t, ok := args[0].(tuple); ok {
				items = t
				break
			}
		}
		return nil, fmt.Errorf("a size that is a %s", v.class.name)
	default:
		return nil, fmt.Errorf("a size that is a %T", v)
	}
	out := make([]int64, len(items))
	for i, x := range items {
		n, ok := x.(int64)
		if !ok {
			return nil, fmt.Errorf("a size that holds a %T", x)
		}
		out[i] = n
	}
	return out, nil
}

// check makes sure that every element lies in the storage and that there are not more
// elements than the storage has.
func (v *view) check() error {
	if len(v.size) != len(v.strides) || len(v.size) > 8 {
		return fmt.Errorf("a tensor of size %v and strides %v", v.size, v.strides)
	}
	n, last := int64(1), v.offset
	for i, d := range v.size {
		if d < 0 || v.strides[i] < 0 || d > math.MaxInt32 || v.strides[i] > math.MaxInt32 {
			return fmt.Errorf("a tensor of size %v and strides %v", v.size, v.strides)
		}
		if d == 0 {
			n = 0
			break
		}
		n *= d
		last += (d - 1) * v.strides[i]
		if n > v.store.len || last >= v.store.len {
			return fmt.Errorf("a tensor of size %v in a storage of %d numbers", v.size, v.store.len)
		}
	}
	if v.offset < 0 || n > 0 && last >= v.store.len {
		return fmt.Errorf("a tensor of size %v at %d in a storage of %d numbers", v.size, v.offset, v.store.len)
	}
	return nil
}

// count returns the number of elements.
func (v *view) count() int64 {
	n := int64(1)
	for _, d := range v.size {
		n *= d
	}
	return n
}

// tensor copies the view's elements in row-major order.
func (v *view) tensor() (Tensor, error) {
	t := Tensor{Shape: make([]int, len(v.size))}
	for i, d := range v.size {
		t.Shape[i] = int(d)
	}
	n, k := v.count(), v.store.kind
	if n == 0 {
		return t, nil
	}
	if int64(len(v.store.data)) != v.store.len*k.size {
		return Tensor{}, fmt.Errorf("%w: storage %q has %d bytes, want %d", ErrFormat, v.store.key, len(v.store.data), v.store.len*k.size)
	}
	t.Data = make([]float32, n)
	at := make([]int64, len(v.size))
	pos := v.offset
	for i := range t.Data {
		t.Data[i] = k.at(v.store.data[pos*k.size:])
		for a := len(at) - 1; a >= 0; a-- {
			at[a]++
			pos += v.strides[a]
			if at[a] < v.size[a] {
				break
			}
			pos -= at[a] * v.strides[a]
			at[a] = 0
		}
	}
	return t, nil
}

// persistent makes the storage of ('storage', torch.FloatStorage, key, location, count).
func (m *machine) persistent(id any) (any, error) {
	t, ok := id.(tuple)
	if !ok || len(t) < 5 {
		return nil, fmt.Errorf("a persistent id of another kind")
	}
	if s, ok := t[0].(string); !ok || s != "storage" {
		return nil, fmt.Errorf("a persistent id that is not a storage")
	}
	class, ok1 := t[1].(global)
	key, ok2 := t[2].(string)
	n, ok3 := t[4].(int64)
	if !ok1 || !ok2 || !ok3 || n < 0 || n > math.MaxInt32*4 {
		return nil, fmt.Errorf("a storage of another form")
	}
	if len(t) > 5 && t[5] != nil {
		return nil, fmt.Errorf("a storage that is a part of another")
	}
	kind, ok := elementKinds[class.name]
	if !ok || class.module != "torch" {
		return nil, fmt.Errorf("a storage of type %s.%s", class.module, class.name)
	}
	if s, ok := m.storages[key]; ok {
		if s.kind.name != kind.name || s.len != n {
			return nil, fmt.Errorf("storage %q of two sizes", key)
		}
		return s, nil
	}
	s := &storage{kind: kind, key: key, len: n}
	m.storages[key] = s
	return s, nil
}
