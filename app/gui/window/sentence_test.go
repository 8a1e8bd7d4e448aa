package window_test

import (
	"errors"
	"testing"

	"latentbrush/app/gui/window"
)

func TestSentences(t *testing.T) {
	for err, want := range map[string]string{
		"ort: ONNX Runtime was not found":                                   "ONNX Runtime was not found.",
		"bad.lbproj: document: damaged project file: zip: not a valid zip":  "bad.lbproj: damaged project file: not a valid zip.",
		"model: /a/b.zip is neither a folder nor a zip file":                "/a/b.zip is neither a folder nor a zip file.",
		"no space left on device":                                           "No space left on device.",
		"document: line 3 of the script: document: there is no picture yet": "Line 3 of the script: there is no picture yet.",
	} {
		if got := window.Sentence(errors.New(err)); got != want {
			t.Errorf("%q reads %q, want %q", err, got, want)
		}
	}
}
