package document

import (
	"fmt"
	"image/color"
	"maps"
	"math"
	"slices"
	"time"

	"latentbrush/canvas"
	"latentbrush/engine/latent"
	"latentbrush/vectors"
)

// Class is a part label of the model.
type Class struct {
	ID     uint8
	Name   string
	Colour color.RGBA
	// Pair is the class that mirroring turns this one into, itself if there is none.
	Pair uint8
}

// Space says what a document's codes and labels mean: the model and its sizes.
type Space struct {
	Model         vectors.Model
	Rows, Dim     int // of a code
	Width, Height int // of a picture, pixels
	Classes       []Class
}

// Palette returns the class palette of label maps.
func (s Space) Palette() color.Palette {
	p := make(color.Palette, len(s.Classes))
	for i, c := range s.Classes {
		p[i] = c.Colour
	}
	return p
}

// SourceKind says where a picture came from.
type SourceKind string

// The kinds of sources.
const (
	NoSource     SourceKind = ""
	SeedSource   SourceKind = "seed"
	PhotoSource  SourceKind = "photo"
	LatentSource SourceKind = "latent"
)

// Photo is the file that a picture was opened from, byte for byte.
type Photo struct {
	Name string // file name without its folder
	Data []byte
	// Align maps picture pixels to photo pixels: x' = a·x + b·y + c, y' = d·x + e·y + f.
	Align [6]float64
}

// Source says where a picture came from.
type Source struct {
	Kind SourceKind
	Name string
	// Seed and Truncation make a sample again.
	Seed       uint64
	Truncation float64
	Photo      *Photo
	// Difference is the error of the embedding of a photo, in the unit that the engine reports.
	Difference float64
}

// EditID names an entry of the edit stack within its document.
type EditID int64

// Edit is an entry of the edit stack: a difference of codes with its strength.
type Edit struct {
	ID   EditID
	Name string
	// Library is the id that the vector had in the library, Content its digest, both
	// empty for an edit that was not saved as a vector.
	Library, Content string
	Delta            latent.Code
	Strength         float64
	On               bool
	Classes          []uint8 // of the region, for refinement
	Calibration      vectors.Calibration
	// Refined corrects the code while the strength is the one it was made at.
	Refined Refined
}

// Refined is the outcome of self-supervised refinement of one edit.
type Refined struct {
	Correction latent.Code // empty: none
	Strength   float64     // of the edit when it was refined
	Steps      int
}

// RefinedNow reports whether the edit's correction is in force.
func (e Edit) RefinedNow() bool {
	return e.On && !e.Refined.Correction.Empty() && e.Refined.Strength == e.Strength
}

// Choice is an optimisation whose result is part of the picture, and which of its steps.
type Choice struct {
	Run  *Run
	Step int    // index into Run.Steps
	Edit EditID // entry of the stack that holds the result, 0 when it went into the starting code
}

// Status is how far the work on a class has come.
type Status uint8

// The states of a class.
const (
	NotStarted Status = iota
	InProgress
	Done
	Flagged
	statuses
)

// Settings are the options of the panels that change results.
type Settings struct {
	Steps        int    `json:"steps,omitempty"`         // of an optimisation, 0 for the engine's default
	Search       string `json:"search,omitempty"`        // the engine's family of differences
	RefineSteps  int    `json:"refine_steps,omitempty"`  // 0: no refinement
	WholeClasses bool   `json:"whole_classes,omitempty"` // the region covers whole classes
	Dilation     int    `json:"dilation,omitempty"`      // of the region, pixels
	Feather      int    `json:"feather,omitempty"`       // of compositing, pixels
	Live         bool   `json:"live,omitempty"`          // optimise by itself after a stroke
}

// Scene is everything of a document but its pixels, at one moment. It is never
// changed: commands copy it.
type Scene struct {
	Source     Source
	Start      latent.Code // the code before the edit stack, empty without a picture
	Stack      []Edit
	Choices    []Choice
	Notes      string
	Status     map[uint8]Status
	Settings   Settings
	Protection canvas.Protection
	Symmetry   canvas.Symmetry
	// LabelsOf is the key of the code whose labels are the canvas's base labels.
	LabelsOf uint64
}

func (s *Scene) clone() *Scene {
	c := *s
	c.Stack = slices.Clone(s.Stack)
	c.Choices = slices.Clone(s.Choices)
	c.Status = maps.Clone(s.Status)
	return &c
}

// Code is the present code: the start plus the edits that are on. It is empty without a picture.
func (s *Scene) Code() latent.Code { return s.codeWithout(0, true) }

// codeWithout is Code without one edit, and without corrections unless refined.
func (s *Scene) codeWithout(id EditID, refined bool) latent.Code {
	if s.Start.Empty() {
		return latent.Code{}
	}
	terms := make([]vectors.Term, 0, len(s.Stack))
	for _, e := range s.Stack {
		if !e.On || e.ID == id {
			continue
		}
		terms = append(terms, vectors.Term{Delta: e.Delta, Strength: e.Strength})
		if refined && e.RefinedNow() {
			terms = append(terms, vectors.Term{Delta: e.Refined.Correction, Strength: 1})
		}
	}
	return vectors.Sum(s.Start, terms...)
}

// Edit returns the entry with the id.
func (s *Scene) Edit(id EditID) (Edit, bool) {
	if i := s.index(id); i >= 0 {
		return s.Stack[i], true
	}
	return Edit{}, false
}

func (s *Scene) index(id EditID) int {
	return slices.IndexFunc(s.Stack, func(e Edit) bool { return e.ID == id })
}

// Conflicts returns the pairs of active edits that push the same way or against each other; A and B are
// positions in the stack.
func (s *Scene) Conflicts() []vectors.Conflict {
	var deltas []latent.Code
	for _, e := range s.Stack {
		if e.On && e.Strength != 0 {
			deltas = append(deltas, e.Delta)
		} else {
			deltas = append(deltas, latent.New(e.Delta.Rows, e.Delta.Dim)) // zero: conflicts with nothing
		}
	}
	return vectors.Conflicts(deltas, vectors.ConflictLimit)
}

// maxChoices is the most runs that a scene keeps for scrubbing.
const maxChoices = 24

// trimChoices forgets the steps of the oldest runs until those left hold no more than limit bytes. What they gave
// stays in the picture.
func (s *Scene) trimChoices(limit int) {
	total := 0
	for i, c := range slices.Backward(s.Choices) {
		total += 4 * len(c.Run.Start.Data) * (1 + len(c.Run.Steps))
		if i < len(s.Choices)-1 && (total > limit || len(s.Choices)-i > maxChoices) {
			s.Choices = slices.Clone(s.Choices[i+1:])
			return
		}
	}
}

// keyOf is a digest of a code (FNV-1a over its bits), 0 for the empty code.
func keyOf(c latent.Code) uint64 {
	if c.Empty() {
		return 0
	}
	h := uint64(14695981039346656037)
	for _, f := range c.Data {
		h = (h ^ uint64(math.Float32bits(f))) * 1099511628211
	}
	return max(h, 1)
}

// Run is an optimisation that was made, with the code at every kept step, so
// that one can go back to any of them. It is complete when it is given to a document.
type Run struct {
	Name   string
	Key    string      // names the run in scripts, see [Document.NewRunKey]; may be empty
	Start  latent.Code // where it began
	Steps  []RunStep   // in order
	Best   int         // index into Steps of the step that the engine recommends
	Reason string      // why it ended
}

// check returns an error when a project with the run could not be read back.
func (r *Run) check(space Space) error {
	if err := vectors.CheckName(r.Name); err != nil {
		return err
	}
	if len(r.Key) > maxLabel {
		return fmt.Errorf("document: the key of a run has %d bytes, at most %d expected", len(r.Key), maxLabel)
	}
	if len(r.Steps) > MaxRunSteps || r.Best < 0 || r.Best >= len(r.Steps) {
		return fmt.Errorf("document: a run of %d steps with number %d as the best, 1 to %d expected", len(r.Steps), r.Best, MaxRunSteps)
	}
	if err := r.Start.Check(space.Rows, space.Dim); err != nil {
		return fmt.Errorf("document: %w", err)
	}
	for _, s := range r.Steps {
		if err := s.Code.Check(space.Rows, space.Dim); err != nil {
			return fmt.Errorf("document: step %d: %w", s.Index, err)
		}
	}
	return nil
}

// RunStep is one kept step of a [Run].
type RunStep struct {
	Index     int // number of the optimisation's step
	Code      latent.Code
	Loss      float64
	Agreement float64 // share of the region's pixels with the labels asked for
	Leak      float64 // mean change outside the region, grey levels
	Elapsed   time.Duration
}

// MaxRunSteps is the most steps of a run that are kept.
const MaxRunSteps = 96

// Add appends a step. When there are more than [MaxRunSteps], every other one
// but the first, the last and the best by loss is dropped.
func (r *Run) Add(s RunStep) {
	r.Steps = append(r.Steps, s)
	if len(r.Steps) <= MaxRunSteps {
		return
	}
	best := 0
	for i, k := range r.Steps {
		if k.Loss < r.Steps[best].Loss {
			best = i
		}
	}
	kept := r.Steps[:0:0]
	for i, k := range r.Steps {
		if i%2 == 0 || i == best || i == len(r.Steps)-1 {
			if i == best {
				r.Best = len(kept)
			}
			kept = append(kept, k)
		}
	}
	r.Steps = kept
}
