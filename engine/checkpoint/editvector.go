package checkpoint

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"latentbrush/engine/latent"
)

// EditVector reads the file in which EditGAN's demonstration keeps its present
// edit: a pickled dictionary of "edit_vector", a NumPy array of rows × dim (or
// 1 × rows × dim) float32 or float64 numbers, and "roi_ids", the classes of the region.
// Nothing of the pickle is run. The numbers are a copy.
func EditVector(data []byte) (delta latent.Code, classes []uint8, err error) {
	value, _, _, err := unpickle(data, 0)
	if err != nil {
		return latent.Code{}, nil, err
	}
	d, ok := asDict(value)
	if !ok {
		return latent.Code{}, nil, fmt.Errorf("%w: it holds %s, a dictionary with edit_vector and roi_ids expected", ErrFormat, describe(value))
	}
	vector, ok := d.get("edit_vector")
	if !ok {
		return latent.Code{}, nil, fmt.Errorf("%w: the dictionary has no edit_vector", ErrFormat)
	}
	if delta, err = numpyCode(vector); err != nil {
		return latent.Code{}, nil, fmt.Errorf("%w: edit_vector: %w", ErrFormat, err)
	}
	ids, _ := d.get("roi_ids")
	var items []any
	switch ids := ids.(type) {
	case *list:
		items = ids.items
	case tuple:
		items = ids
	}
	if len(items) > 256 {
		return latent.Code{}, nil, fmt.Errorf("%w: roi_ids has %d classes, at most 256 expected", ErrFormat, len(items))
	}
	for _, item := range items {
		id, ok := numpyInteger(item)
		if !ok || id < 0 || id > 255 {
			return latent.Code{}, nil, fmt.Errorf("%w: roi_ids holds %s, a class from 0 to 255 expected", ErrFormat, describe(item))
		}
		classes = append(classes, uint8(id))
	}
	return delta, classes, nil
}

// numpyType returns the type's code, such as "f4", of a pickled numpy.dtype, which must be little-endian.
func numpyType(v any) (string, bool) {
	o, ok := v.(*object)
	if !ok || o.class != (global{"numpy", "dtype"}) {
		return "", false
	}
	args, _ := o.args.(tuple)
	if len(args) == 0 {
		return "", false
	}
	code, ok := args[0].(string)
	// The state is (version, byte order, …).
	if state, _ := o.state.(tuple); len(state) > 1 && state[1] == ">" {
		return "", false
	}
	return code, ok
}

// numpyArray returns type, shape and bytes of a pickled array in C order.
func numpyArray(v any) (kind string, shape []int64, raw []byte, err error) {
	o, ok := v.(*object)
	if !ok {
		return "", nil, nil, fmt.Errorf("it is %s, a NumPy array expected", describe(v))
	}
	switch o.class {
	case global{"numpy.core.multiarray", "_reconstruct"}, global{"numpy._core.multiarray", "_reconstruct"}:
		// The state is (version, shape, type, Fortran order, bytes).
		state, _ := o.state.(tuple)
		if len(state) != 5 {
			return "", nil, nil, fmt.Errorf("the array is not well formed")
		}
		if state[3] != false {
			return "", nil, nil, fmt.Errorf("the array is in Fortran order, C order expected")
		}
		kind, _ = numpyType(state[2])
		raw, _ = state[4].([]byte)
		shape, err = numbers(state[1])
	case global{"numpy.core.numeric", "_frombuffer"}, global{"numpy._core.numeric", "_frombuffer"}:
		// Protocol 5 spells it (bytes, type, shape, order).
		args, _ := o.args.(tuple)
		if len(args) != 4 || args[3] != "C" {
			return "", nil, nil, fmt.Errorf("the array is not well formed or not in C order")
		}
		raw, _ = args[0].([]byte)
		kind, _ = numpyType(args[1])
		shape, err = numbers(args[2])
	default:
		return "", nil, nil, fmt.Errorf("it is %s, a NumPy array expected", describe(v))
	}
	return kind, shape, raw, err
}

func numpyCode(v any) (latent.Code, error) {
	kind, shape, raw, err := numpyArray(v)
	if err != nil {
		return latent.Code{}, err
	}
	if len(shape) == 3 && shape[0] == 1 {
		shape = shape[1:]
	}
	const most = 1 << 16 // rows and numbers of a row, far more than any generator has
	if len(shape) != 2 || shape[0] < 1 || shape[1] < 1 || shape[0] > most || shape[1] > most {
		return latent.Code{}, fmt.Errorf("shape %v, rows × dim expected", shape)
	}
	size := map[string]int{"f4": 4, "f8": 8}[kind]
	if size == 0 {
		return latent.Code{}, fmt.Errorf("numbers of type %q, little-endian f4 or f8 expected", kind)
	}
	if int64(len(raw)) != shape[0]*shape[1]*int64(size) {
		return latent.Code{}, fmt.Errorf("%d bytes for %d × %d numbers", len(raw), shape[0], shape[1])
	}
	c := latent.New(int(shape[0]), int(shape[1]))
	r := bytes.NewBuffer(raw)
	for i := range c.Data {
		if b := r.Next(size); size == 4 {
			c.Data[i] = math.Float32frombits(binary.LittleEndian.Uint32(b))
		} else {
			c.Data[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(b)))
		}
	}
	return c, c.Check(c.Rows, c.Dim)
}

// numpyInteger reads an integer, also when NumPy wrapped it as a scalar: scalar(type, bytes).
func numpyInteger(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case *object:
		if v.class != (global{"numpy.core.multiarray", "scalar"}) && v.class != (global{"numpy._core.multiarray", "scalar"}) {
			return 0, false
		}
		args, _ := v.args.(tuple)
		if len(args) != 2 {
			return 0, false
		}
		kind, _ := numpyType(args[0])
		raw, _ := args[1].([]byte)
		if len(kind) != 2 || (kind[0] != 'i' && kind[0] != 'u') || int(kind[1]-'0') != len(raw) || len(raw) > 8 || len(raw) == 0 {
			return 0, false
		}
		var wide [8]byte
		if kind[0] == 'i' && raw[len(raw)-1]&0x80 != 0 {
			return 0, false // negative: no class
		}
		copy(wide[:], raw)
		n := binary.LittleEndian.Uint64(wide[:])
		return int64(n), n <= math.MaxInt64
	}
	return 0, false
}
