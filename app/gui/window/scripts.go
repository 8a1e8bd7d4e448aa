package window

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"latentbrush/app/document"
	"latentbrush/app/document/perform"
	"latentbrush/app/gui/dialogs"
	"latentbrush/app/gui/look"
	"latentbrush/app/gui/words"
	"latentbrush/vectors"
)

// scriptExt is the extension of scripts without its dot.
var scriptExt = strings.TrimPrefix(document.ScriptExt, ".")

// toggleRecording begins to record what is done, or ends the recording and asks where to keep it.
func (w *Window) toggleRecording() {
	if w.recording == 0 {
		w.recording = w.doc.Current()
		w.say(words.T("script.recording"))
		w.trace("recording")
		w.showTitle()
		return
	}
	from := w.recording
	w.recording = 0
	w.showTitle()
	if from == w.doc.Current() {
		w.say(words.T("script.nothing"))
		return
	}
	w.askScript(words.T("action.file.record"), from)
}

// saveScript asks where to keep the whole session as a script.
func (w *Window) saveScript() { w.askScript(words.T("action.file.script"), 0) }

func (w *Window) askScript(title string, from document.NodeID) {
	name := w.doc.Title()
	if name == "" {
		name = "latentbrush"
	}
	w.noteJob(w.job)
	w.askFile(dialogs.Request{
		Kind: dialogs.Save, Title: title, Name: name + document.ScriptExt,
		Filters: []dialogs.Filter{{Name: words.T("filter.scripts"), Exts: []string{scriptExt}}},
	}, func(path string) {
		if err := w.writeScript(path, from); err != nil {
			w.fail(err)
			return
		}
		w.trace("script %s", path)
		w.toasts.Show(words.T("saved-as", filepath.Base(path)), look.Good, "", nil)
	})
}

// writeScript writes the session as a script; the photo that it opens is put beside it.
func (w *Window) writeScript(path string, from document.NodeID) error {
	dir := filepath.Dir(path)
	s, err := w.doc.Script(document.ScriptOptions{
		From: from,
		Known: func(content string) bool {
			return w.lib != nil && w.lib.Has(content)
		},
		Photo: func(p *document.Photo) (string, error) {
			name := filepath.Base(filepath.Clean("/" + p.Name))
			if name == "/" || name == "." {
				name = "photo"
			}
			to := filepath.Join(dir, name)
			if st, err := os.Stat(to); err == nil && st.Size() == int64(len(p.Data)) {
				return name, nil
			} else if err == nil { // another file of that name
				name = strings.TrimSuffix(filepath.Base(path), document.ScriptExt) + "-" + name
				to = filepath.Join(dir, name)
			}
			return name, vectors.WriteAtomic(to, func(out io.Writer) error {
				_, err := out.Write(p.Data)
				return err
			})
		},
	})
	if err != nil {
		return err
	}
	return vectors.WriteAtomic(path, func(out io.Writer) error {
		_, err := s.WriteTo(out)
		return err
	})
}

// openScript does a script again, as a new document.
func (w *Window) openScript(path string) {
	if w.eng == nil {
		w.fail(errors.New(words.T("no-model")))
		return
	}
	f, err := os.Open(path)
	if err != nil {
		w.fail(err)
		return
	}
	s, err := document.ParseScript(f)
	f.Close()
	var doc *document.Document
	if err == nil {
		doc, err = document.New(perform.Space(w.info))
	}
	if err != nil {
		w.fail(err)
		return
	}
	w.endJob()
	w.opening++
	seq := w.opening
	base := filepath.Base(path)
	p := &document.Player{
		Machine: &perform.Machine{Engine: w.eng},
		Photo: func(name string) ([]byte, error) {
			f, err := os.OpenInRoot(filepath.Dir(path), name)
			if err != nil {
				return nil, err
			}
			defer f.Close()
			return io.ReadAll(f)
		},
		Vector: w.findVector,
		Done: func(done, of int) {
			w.later(func() {
				if seq == w.opening {
					w.setJobNote(words.T("script.playing", base, done, of))
				}
			})
		},
	}
	go func() {
		// The document is this goroutine's own until it is done.
		err := p.Play(w.ctx, s, doc)
		w.later(func() {
			if seq != w.opening {
				return
			}
			w.setJobNote("")
			if err == nil && !doc.HasPicture() {
				err = fmt.Errorf("%s: %w", base, document.ErrNoPicture)
			}
			if err != nil {
				w.fail(err)
				return
			}
			w.closeDocument()
			w.useDocument(doc, "")
			w.journal()
			w.trace("played %d", len(doc.Nodes()))
			w.say(words.T("script.played", base, len(s.Lines)))
		})
	}()
}

// findVector finds a vector by its content, or by its name where there is none.
func (w *Window) findVector(content, name string) (*vectors.Vector, error) {
	if w.lib != nil {
		for _, e := range w.lib.Search(vectors.Query{}) {
			if content != "" && e.Content == content || content == "" && e.Name == name {
				return w.lib.Load(e.ID)
			}
		}
	}
	return nil, fmt.Errorf("%s", words.T("script.no-vector", name))
}
