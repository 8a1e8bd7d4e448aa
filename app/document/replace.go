package document

import (
	"latentbrush/engine/latent"
	"latentbrush/vectors"
)

// ReplaceEdit puts a vector in the place of an edit of the stack, which keeps its strength,
// as when it was made orthogonal to another or was limited to some rows. It is one step of the
// history.
func (d *Document) ReplaceEdit(id EditID, library string, v *vectors.Vector) error {
	if err := v.FitsModel(d.space.Model, d.space.Rows, d.space.Dim); err != nil {
		return err
	}
	s, i, err := d.edit(id)
	if err != nil {
		return err
	}
	e := &s.Stack[i]
	e.Name, e.Library, e.Content, e.Calibration = v.Name, library, v.Content, v.Calibration
	e.Delta, e.Refined = v.Delta, Refined{}
	d.do(Label{Key: "edit.replace", Args: []string{v.Name}}, s)
	return nil
}

// replaceDelta puts a difference that is no vector of the library in the place of an edit.
func (d *Document) replaceDelta(id EditID, name string, delta latent.Code) error {
	s, i, err := d.edit(id)
	if err != nil {
		return err
	}
	e := &s.Stack[i]
	e.Name, e.Delta = name, delta
	e.Library, e.Content, e.Calibration, e.Refined = "", "", vectors.Calibration{}, Refined{}
	d.do(Label{Key: "edit.replace", Args: []string{name}}, s)
	return nil
}
