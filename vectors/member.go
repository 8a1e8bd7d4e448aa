package vectors

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
)

// ReadMember reads a member of a zip file of at most limit bytes. What the header claims is
// not believed: reading stops at the limit. A nil member is one that the file lacks, an error.
func ReadMember(f *zip.File, limit int64) ([]byte, error) {
	if f == nil {
		return nil, errors.New("it is not in the file")
	}
	if f.UncompressedSize64 > uint64(limit) {
		return nil, fmt.Errorf("it has %d bytes, at most %d expected", f.UncompressedSize64, limit)
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	raw, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(raw)) > limit {
		return nil, fmt.Errorf("it has more than %d bytes", limit)
	}
	return raw, nil
}
