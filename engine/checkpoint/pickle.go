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

func (m *machine) step(op byte) error {
	switch op {
	case 0x80: // PROTO
		v, err := m.number(1)
		if err == nil && v > 5 {
			err = fmt.Errorf("protocol %d is not known", v)
		}
		return err
	case 0x95: // FRAME
		_, err := m.number(8)
		return err
	case '(':
		m.push(mark{})
	case '0':
		if len(m.stack) == 0 {
			return fmt.Errorf("the stack is empty")
		}
		m.stack = m.stack[:len(m.stack)-1]
	case '1':
		_, err := m.popMark()
		return err
	case '2':
		v, err := m.top()
		if err != nil {
			return err
		}
		m.push(v)
	case 'N':
		m.push(nil)
	case 0x88:
		m.push(true)
	case 0x89:
		m.push(false)
	case ']':
		m.push(&list{})
	case '}':
		m.push(newDict())
	case ')':
		m.push(tuple{})
	case 0x8f:
		m.push(&list{})
	case 'I', 'L', 'J', 'K', 'M', 0x8a, 0x8b, 'F', 'G':
		return m.stepNumber(op)
	case 'S', 'T', 'U', 'V', 'X', 0x8c, 0x8d, 'B', 'C', 0x8e, 0x96:
		return m.stepString(op)
	case 'p', 'q', 'r', 'g', 'h', 'j', 0x94:
		return m.stepMemo(op)
	default:
		return m.stepObject(op)
	}
	return nil
}

func (m *machine) stepNumber(op byte) error {
	switch op {
	case 'I', 'L':
		s, err := m.line()
		if err != nil {
			return err
		}
		if op == 'I' && (s == "00" || s == "01") {
			m.push(s == "01")
			return nil
		}
		s = strings.TrimSuffix(s, "L")
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return fmt.Errorf("%.40q is not a number", s)
		}
		m.push(n)
	case 'J':
		n, err := m.number(4)
		if err != nil {
			return err
		}
		m.push(int64(int32(uint32(n))))
	case 'K', 'M':
		n, err := m.number(map[byte]int{'K': 1, 'M': 2}[op])
		if err != nil {
			return err
		}
		m.push(int64(n))
	case 0x8a, 0x8b:
		b, err := m.sized(map[byte]int{0x8a: 1, 0x8b: 4}[op])
		if err != nil {
			return err
		}
		if len(b) > maxLong {
			return fmt.Errorf("an integer of %d bytes", len(b))
		}
		m.push(integer(b))
	case 'F':
		s, err := m.line()
		if err != nil {
			return err
		}
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return fmt.Errorf("%.40q is not a number", s)
		}
		m.push(f)
	case 'G':
		b, err := m.take(8)
		if err != nil {
			return err
		}
		m.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
	}
	return nil
}

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

func (m *machine) stepString(op byte) error {
	switch op {
	case 'S':
		s, err := m.line()
		if err != nil {
			return err
		}
		if len(s) < 2 || s[0] != s[len(s)-1] || s[0] != '\'' && s[0] != '"' {
			return fmt.Errorf("a string without quotes")
		}
		// Escapes occur in no name that matters here.
		m.push(s[1 : len(s)-1])
		return nil
	case 'V':
		line, err := m.line()
		if err != nil {
			return err
		}
		s, err := rawUnicode(line)
		if err != nil {
			return err
		}
		m.push(s)
		return nil
	}
	width := map[byte]int{'T': 4, 'U': 1, 'X': 4, 0x8c: 1, 0x8d: 8, 'B': 4, 'C': 1, 0x8e: 8, 0x96: 8}[op]
	b, err := m.sized(width)
	if err != nil {
		return err
	}
	switch op {
	case 'B', 'C', 0x8e, 0x96:
		m.push(b)
	default:
		m.push(string(b))
	}
	return nil
}

func (m *machine) stepMemo(op byte) error {
	var at int64
	switch op {
	case 'p', 'g':
		s, err := m.line()
		if err != nil {
			return err
		}
		if at, err = strconv.ParseInt(s, 10, 64); err != nil {
			return fmt.Errorf("%.40q is not a number", s)
		}
	case 0x94:
		at = int64(len(m.memo))
	default:
		n, err := m.number(map[byte]int{'q': 1, 'h': 1, 'r': 4, 'j': 4}[op])
		if err != nil {
			return err
		}
		at = int64(n)
	}
	switch op {
	case 'g', 'h', 'j':
		v, ok := m.memo[at]
		if !ok {
			return fmt.Errorf("nothing was remembered as %d", at)
		}
		m.push(v)
	default:
		v, err := m.top()
		if err != nil {
			return err
		}
		m.memo[at] = v
	}
	return nil
}

func (m *machine) stepObject(op byte) error {
	switch op {
	case 'l', 't', 'd', 0x91:
		items, err := m.popMark()
		if err != nil {
			return err
		}
		switch op {
		case 't':
			m.push(tuple(items))
		case 'd':
			d := newDict()
			if err := setPairs(d, items); err != nil {
				return err
			}
			m.push(d)
		default:
			m.push(&list{items})
		}
	case 0x85, 0x86, 0x87:
		t := make(tuple, int(op-0x84))
		for i := len(t) - 1; i >= 0; i-- {
			v, err := m.pop()
			if err != nil {
				return err
			}
			t[i] = v
		}
		m.push(t)
	case 'a':
		v, err := m.pop()
		if err != nil {
			return err
		}
		return m.extend([]any{v})
	case 'e', 0x90:
		items, err := m.popMark()
		if err != nil {
			return err
		}
		return m.extend(items)
	case 's':
		v, err := m.pop()
		if err != nil {
			return err
		}
		k, err := m.pop()
		if err != nil {
			return err
		}
		return m.setItems([]any{k, v})
	case 'u':
		items, err := m.popMark()
		if err != nil {
			return err
		}
		return m.setItems(items)
	case 'c':
		module, err := m.line()
		if err != nil {
			return err
		}
		name, err := m.line()
		if err != nil {
			return err
		}
		m.push(global{module, name})
	case 0x93:
		name, err := m.pop()
		if err != nil {
			return err
		}
		module, err := m.pop()
		if err != nil {
			return err
		}
		ms, ok1 := module.(string)
		ns, ok2 := name.(string)
		if !ok1 || !ok2 {
			return fmt.Errorf("a name that is not a string")
		}
		m.push(global{ms, ns})
	case 'R', 0x81, 0x92:
		if op == 0x92 {
			if _, err := m.pop(); err != nil { // keyword arguments
				return err
			}
		}
		args, err := m.pop()
		if err != nil {
			return err
		}
		fn, err := m.pop()
		if err != nil {
			return err
		}
		v, err := m.call(fn, args)
		if err != nil {
			return err
		}
		m.push(v)
	case 'o', 'i':
		var class any
		if op == 'i' {
			module, err := m.line()
			if err != nil {
				return err
			}
			name, err := m.line()
			if err != nil {
				return err
			}
			class = global{module, name}
		}
		items, err := m.popMark()
		if err != nil {
			return err
		}
		if op == 'o' {
			if len(items) == 0 {
				return fmt.Errorf("an object without a class")
			}
			class, items = items[0], items[1:]
		}
		v, err := m.call(class, tuple(items))
		if err != nil {
			return err
		}
		m.push(v)
	case 'b':
		state, err := m.pop()
		if err != nil {
			return err
		}
		target, err := m.top()
		if err != nil {
			return err
		}
		if o, ok := target.(*object); ok {
			o.state = state
		}
	case 'P':
		if _, err := m.line(); err != nil {
			return err
		}
		return fmt.Errorf("a persistent id as text")
	case 'Q':
		id, err := m.pop()
		if err != nil {
			return err
		}
		s, err := m.persistent(id)
		if err != nil {
			return err
		}
		m.push(s)
	default:
		return fmt.Errorf("it is not known")
	}
	return nil
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
