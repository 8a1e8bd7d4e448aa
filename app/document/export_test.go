package document

import "io"

// Write writes d as a project.
func Write(w io.Writer, d *Document) error {
	_, err := d.capture().write(w)
	return err
}

// Replay makes the document that a journal describes.
func Replay(raw []byte) (*Document, error) { return replay(raw) }
