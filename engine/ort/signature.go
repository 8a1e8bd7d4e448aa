package ort

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of the ONNX format (onnx.proto).
const (
	modelGraph       = 7
	graphInitializer = 5
	graphInput       = 11
	graphOutput      = 12
	valueName        = 1
	valueType        = 2
	typeTensor       = 1
	tensorElem       = 1
	tensorShape      = 2
	shapeDim         = 1
	dimValue         = 1
	dimParam         = 2

	elemFloat = 1
)

var errNotONNX = errors.New("ort: the model is not ONNX data")

// fields calls visit for every field of a message; lengths are those of the data, so nothing is allocated.
func fields(data []byte, visit func(number protowire.Number, bytes []byte, varint uint64) error) error {
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return errNotONNX
		}
		data = data[n:]
		var value []byte
		var varint uint64
		switch kind {
		case protowire.BytesType:
			value, n = protowire.ConsumeBytes(data)
		case protowire.VarintType:
			varint, n = protowire.ConsumeVarint(data)
		default:
			n = protowire.ConsumeFieldValue(number, kind, data)
		}
		if n < 0 {
			return errNotONNX
		}
		data = data[n:]
		if err := visit(number, value, varint); err != nil {
			return err
		}
	}
	return nil
}

// Signature reads the names and shapes of a model's inputs and outputs from its bytes, without building a session.
// Tensors of other types than float32 and shapes that are not fixed are errors: this package has no use for them.
func Signature(model []byte) (inputs, outputs []TensorSpec, err error) {
	var graph []byte
	err = fields(model, func(number protowire.Number, value []byte, _ uint64) error {
		if number == modelGraph {
			graph = value
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if graph == nil {
		return nil, nil, errNotONNX
	}
	// Old models list their weights among the inputs, too.
	weights := map[string]bool{}
	err = fields(graph, func(number protowire.Number, value []byte, _ uint64) error {
		if number != graphInitializer {
			return nil
		}
		return fields(value, func(number protowire.Number, value []byte, _ uint64) error {
			if number == 8 { // TensorProto.name
				weights[string(value)] = true
			}
			return nil
		})
	})
	if err != nil {
		return nil, nil, err
	}
	err = fields(graph, func(number protowire.Number, value []byte, _ uint64) error {
		if number != graphInput && number != graphOutput {
			return nil
		}
		name, err := valueInfoName(value)
		if err != nil {
			return err
		}
		if number == graphInput && weights[name] {
			return nil
		}
		spec, err := valueInfo(value)
		if err != nil {
			return err
		}
		if number == graphInput {
			inputs = append(inputs, spec)
		} else {
			outputs = append(outputs, spec)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return inputs, outputs, nil
}

func valueInfoName(data []byte) (name string, err error) {
	err = fields(data, func(number protowire.Number, value []byte, _ uint64) error {
		if number == valueName {
			name = string(value)
		}
		return nil
	})
	return name, err
}

func valueInfo(data []byte) (TensorSpec, error) {
	name, err := valueInfoName(data)
	if err != nil {
		return TensorSpec{}, err
	}
	spec := TensorSpec{Name: name, Shape: []int{}}
	elem, shaped := uint64(0), false
	err = fields(data, func(number protowire.Number, value []byte, _ uint64) error {
		if number != valueType {
			return nil
		}
		return fields(value, func(number protowire.Number, value []byte, _ uint64) error {
			if number != typeTensor {
				return nil
			}
			return fields(value, func(number protowire.Number, value []byte, varint uint64) error {
				switch number {
				case tensorElem:
					elem = varint
				case tensorShape:
					shaped = true
					return fields(value, func(number protowire.Number, value []byte, _ uint64) error {
						if number != shapeDim {
							return nil
						}
						size := uint64(0)
						err := fields(value, func(number protowire.Number, _ []byte, varint uint64) error {
							switch number {
							case dimValue:
								size = varint
							case dimParam:
								size = 0
							}
							return nil
						})
						if err != nil {
							return err
						}
						if size == 0 || size > maxElements {
							return fmt.Errorf("ort: tensor %q of the model has no fixed shape", name)
						}
						spec.Shape = append(spec.Shape, int(size))
						return nil
					})
				}
				return nil
			})
		})
	})
	if err != nil {
		return TensorSpec{}, err
	}
	if elem != elemFloat {
		return TensorSpec{}, fmt.Errorf("ort: tensor %q of the model is not float32", name)
	}
	if !shaped {
		return TensorSpec{}, fmt.Errorf("ort: tensor %q of the model has no fixed shape", name)
	}
	return spec, nil
}
