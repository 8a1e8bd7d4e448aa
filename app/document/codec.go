package document

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"image/color"
	"image/jpeg"
	"math"
	"slices"
	"time"

	"latentbrush/canvas"
	"latentbrush/engine/latent"
	"latentbrush/vectors"
)

// A history is written as batches. A batch holds nodes and what they refer to:
// codes, photos, runs and scenes, each once, numbered from 0 in the order of writing across
// all batches of a file. A project is one batch, a journal is a row of them.

// Limits of what is read.
const (
	maxNodes   = 100_000
	maxCodes   = 200_000
	maxRuns    = 20_000
	maxPhotos  = 1_000
	maxPhoto   = 512 << 20 // bytes
	maxThumb   = 1 << 20   // bytes
	maxChange  = 256 << 20 // bytes
	maxLabel   = 64        // characters of a label's key
	maxJSON    = 256 << 20
	maxArgs    = 8
	maxArgSize = 1000
)

type batch struct {
	Codes   int        `json:"codes"` // in the blob of codes
	Photos  []photoRow `json:"photos,omitempty"`
	Runs    []runRow   `json:"runs,omitempty"`
	Scenes  []sceneRow `json:"scenes,omitempty"`
	Nodes   []nodeRow  `json:"nodes,omitempty"`
	Current NodeID     `json:"current"`
	View    *ViewState `json:"view,omitempty"`

	// The blobs: numbers of the codes, and the nodes' changes and thumbnails end to end.
	codes, changes, thumbs []byte
	photos                 [][]byte
}

type photoRow struct {
	Name  string     `json:"name"`
	Size  int        `json:"size"`
	Align [6]float64 `json:"align"`
}

type runRow struct {
	Name   string       `json:"name"`
	Key    string       `json:"key,omitempty"`
	Start  int          `json:"start"`
	Best   int          `json:"best"`
	Reason string       `json:"reason,omitempty"`
	Steps  []runStepRow `json:"steps"`
}

type runStepRow struct {
	Index     int           `json:"i"`
	Code      int           `json:"code"`
	Loss      float64       `json:"loss"`
	Agreement float64       `json:"agreement"`
	Leak      float64       `json:"leak"`
	Elapsed   time.Duration `json:"elapsed"`
}

type sceneRow struct {
	Kind       SourceKind       `json:"source,omitempty"`
	Name       string           `json:"name,omitempty"`
	Seed       uint64           `json:"seed,omitempty"`
	Truncation float64          `json:"truncation,omitempty"`
	Difference float64          `json:"difference,omitempty"`
	Photo      int              `json:"photo"` // −1: none, as for codes
	Start      int              `json:"start"`
	Stack      []editRow        `json:"stack,omitempty"`
	Choices    []choiceRow      `json:"choices,omitempty"`
	Notes      string           `json:"notes,omitempty"`
	Status     map[uint8]Status `json:"status,omitempty"`
	Settings   Settings         `json:"settings"`
	Locked     []int            `json:"locked,omitempty"`
	Hidden     []int            `json:"hidden,omitempty"`
	Solo       int              `json:"solo"`
	Preserve   bool             `json:"preserve,omitempty"`
	Background uint8            `json:"background,omitempty"`
	Mirror     bool             `json:"mirror,omitempty"`
	MirrorSum  int              `json:"mirror_sum"`
	Pairs      [][2]uint8       `json:"pairs,omitempty"`
	LabelsOf   uint64           `json:"labels_of,string"`
}

type editRow struct {
	ID          EditID              `json:"id"`
	Name        string              `json:"name"`
	Library     string              `json:"library,omitempty"`
	Content     string              `json:"content,omitempty"`
	Delta       int                 `json:"delta"`
	Strength    float64             `json:"strength"`
	On          bool                `json:"on"`
	Classes     []int               `json:"classes,omitempty"`
	Calibration vectors.Calibration `json:"calibration"`
	Correction  int                 `json:"correction"`
	RefinedAt   float64             `json:"refined_at,omitempty"`
	RefineSteps int                 `json:"refine_steps,omitempty"`
}

type choiceRow struct {
	Run  int    `json:"run"`
	Step int    `json:"step"`
	Edit EditID `json:"edit,omitempty"`
}

type nodeRow struct {
	ID      NodeID    `json:"id"`
	Parent  NodeID    `json:"parent,omitempty"`
	Last    NodeID    `json:"last,omitempty"`
	Label   Label     `json:"label"`
	Time    time.Time `json:"time"`
	Scene   int       `json:"scene"`
	Changes []int     `json:"changes,omitempty"` // sizes
	Thumb   int       `json:"thumb,omitempty"`   // size
	Made    string    `json:"made,omitempty"`    // lines of a script
	Then    []string  `json:"then,omitempty"`
}

// kept is a node as it was when it was handed to a writer.
type kept struct {
	id, parent, last NodeID
	label            Label
	time             time.Time
	scene            *Scene
	changes          []*canvas.Change
	thumb            []byte
	made             string
	then             []string
}

func (n *node) keep() kept {
	k := kept{id: n.id, label: n.label, time: n.time, scene: n.scene, changes: n.changes, thumb: n.thumb, made: n.made, then: slices.Clone(n.then)}
	if n.parent != nil {
		k.parent = n.parent.id
	}
	if n.last != nil {
		k.last = n.last.id
	}
	return k
}

// encoder numbers what has been written.
type encoder struct {
	codes  map[*float32]int
	photos map[*Photo]int
	runs   map[*Run]int
	scenes map[*Scene]int
}

func newEncoder() *encoder {
	return &encoder{map[*float32]int{}, map[*Photo]int{}, map[*Run]int{}, map[*Scene]int{}}
}

// encode makes a batch of nodes; parents must come before their children.
func (e *encoder) encode(nodes []kept, current NodeID) (*batch, error) {
	b := &batch{Current: current}
	for _, n := range nodes {
		row := nodeRow{ID: n.id, Parent: n.parent, Last: n.last, Label: n.label, Time: n.time, Scene: e.scene(b, n.scene), Thumb: len(n.thumb), Made: n.made, Then: n.then}
		for _, ch := range n.changes {
			raw, err := ch.MarshalBinary()
			if err != nil {
				return nil, fmt.Errorf("step %d: %w", n.id, err)
			}
			row.Changes = append(row.Changes, len(raw))
			b.changes = append(b.changes, raw...)
		}
		b.thumbs = append(b.thumbs, n.thumb...)
		b.Nodes = append(b.Nodes, row)
	}
	return b, nil
}

func (e *encoder) code(b *batch, c latent.Code) int {
	if c.Empty() {
		return -1
	}
	id, ok := e.codes[&c.Data[0]]
	if !ok {
		id = len(e.codes)
		e.codes[&c.Data[0]] = id
		b.Codes++
		raw := slices.Grow(b.codes, 4*len(c.Data))
		for _, f := range c.Data {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(f))
		}
		b.codes = raw
	}
	return id
}

func (e *encoder) photo(b *batch, p *Photo) int {
	if p == nil {
		return -1
	}
	id, ok := e.photos[p]
	if !ok {
		id = len(e.photos)
		e.photos[p] = id
		row := photoRow{Name: p.Name, Size: len(p.Data)}
		for i, x := range p.Align {
			row.Align[i] = finite(x)
		}
		b.Photos = append(b.Photos, row)
		b.photos = append(b.photos, p.Data)
	}
	return id
}

func (e *encoder) run(b *batch, r *Run) int {
	id, ok := e.runs[r]
	if !ok {
		row := runRow{Name: r.Name, Key: r.Key, Start: e.code(b, r.Start), Best: r.Best, Reason: r.Reason}
		for _, s := range r.Steps {
			row.Steps = append(row.Steps, runStepRow{
				s.Index, e.code(b, s.Code), finite(s.Loss), finite(s.Agreement), finite(s.Leak), s.Elapsed,
			})
		}
		id = len(e.runs)
		e.runs[r] = id
		b.Runs = append(b.Runs, row)
	}
	return id
}

// finite is x, or 0 where JSON has no number for it.
func finite(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	return x
}

func finiteCalibration(c vectors.Calibration) vectors.Calibration {
	c.UnitEffect, c.SafeLo, c.SafeHi = finite(c.UnitEffect), finite(c.SafeLo), finite(c.SafeHi)
	return c
}

func (e *encoder) scene(b *batch, s *Scene) int {
	if id, ok := e.scenes[s]; ok {
		return id
	}
	row := sceneRow{
		Kind: s.Source.Kind, Name: s.Source.Name, Seed: s.Source.Seed, Truncation: finite(s.Source.Truncation),
		Difference: finite(s.Source.Difference), Photo: e.photo(b, s.Source.Photo), Start: e.code(b, s.Start),
		Notes: s.Notes, Status: s.Status, Settings: s.Settings, Solo: s.Protection.Solo, Preserve: s.Protection.PreserveOthers,
		Background: s.Protection.Background, Mirror: s.Symmetry.On, MirrorSum: s.Symmetry.Sum, LabelsOf: s.LabelsOf,
		Locked: bits(s.Protection.Locked), Hidden: bits(s.Protection.Hidden),
	}
	for i, p := range s.Symmetry.Pairs {
		if uint8(i) != p {
			row.Pairs = append(row.Pairs, [2]uint8{uint8(i), p})
		}
	}
	for _, k := range s.Stack {
		edit := editRow{
			ID: k.ID, Name: k.Name, Library: k.Library, Content: k.Content, Delta: e.code(b, k.Delta), Strength: k.Strength, On: k.On,
			Calibration: finiteCalibration(k.Calibration), Correction: e.code(b, k.Refined.Correction), RefinedAt: k.Refined.Strength, RefineSteps: k.Refined.Steps,
		}
		for _, c := range k.Classes {
			edit.Classes = append(edit.Classes, int(c))
		}
		row.Stack = append(row.Stack, edit)
	}
	for _, c := range s.Choices {
		row.Choices = append(row.Choices, choiceRow{e.run(b, c.Run), c.Step, c.Edit})
	}
	id := len(e.scenes)
	e.scenes[s] = id
	b.Scenes = append(b.Scenes, row)
	return id
}

func bits(set [256]bool) (ids []int) {
	for i, on := range set {
		if on {
			ids = append(ids, i)
		}
	}
	return ids
}

// decoder holds what has been read, by number.
type decoder struct {
	space  Space
	codes  []latent.Code
	photos []*Photo
	runs   []*Run
	scenes []*Scene
}

// decode reads a batch and returns its nodes, all references of which are good; how they hang together is the
// caller's matter.
func (d *decoder) decode(b *batch) ([]kept, error) {
	size := 4 * d.space.Rows * d.space.Dim
	switch {
	case b.Codes < 0 || len(d.codes)+b.Codes > maxCodes || b.Codes*size != len(b.codes):
		return nil, fmt.Errorf("%d codes in %d bytes", b.Codes, len(b.codes))
	case len(d.photos)+len(b.Photos) > maxPhotos || len(b.Photos) != len(b.photos):
		return nil, fmt.Errorf("%d photos, %d expected", len(b.photos), len(b.Photos))
	case len(d.runs)+len(b.Runs) > maxRuns || len(b.Nodes) > maxNodes || len(d.scenes)+len(b.Scenes) > maxNodes:
		return nil, errors.New("too many steps")
	}
	for i := range b.Codes {
		c := latent.New(d.space.Rows, d.space.Dim)
		for k := range c.Data {
			c.Data[k] = math.Float32frombits(binary.LittleEndian.Uint32(b.codes[i*size+4*k:]))
		}
		if err := c.Check(c.Rows, c.Dim); err != nil {
			return nil, err
		}
		d.codes = append(d.codes, c)
	}
	for i, row := range b.Photos {
		if row.Size != len(b.photos[i]) {
			return nil, fmt.Errorf("photo %q has %d bytes, %d expected", row.Name, len(b.photos[i]), row.Size)
		}
		if len(row.Name) > maxTitleSize {
			return nil, errors.New("the name of a photo is too long")
		}
		d.photos = append(d.photos, &Photo{Name: row.Name, Data: b.photos[i], Align: row.Align})
	}
	for _, row := range b.Runs {
		r := &Run{Name: row.Name, Key: row.Key, Best: row.Best, Reason: row.Reason}
		var err error
		if r.Start, err = d.code(row.Start); err != nil {
			return nil, err
		}
		if len(row.Key) > maxLabel || len(row.Steps) > MaxRunSteps+1 || (row.Best != 0 && (row.Best < 0 || row.Best >= len(row.Steps))) || r.Start.Empty() {
			return nil, fmt.Errorf("run %q is not well formed", row.Name)
		}
		for _, s := range row.Steps {
			code, err := d.code(s.Code)
			if err != nil || code.Empty() {
				return nil, fmt.Errorf("run %q has a step without a code", row.Name)
			}
			r.Steps = append(r.Steps, RunStep{s.Index, code, s.Loss, s.Agreement, s.Leak, s.Elapsed})
		}
		d.runs = append(d.runs, r)
	}
	for i := range b.Scenes {
		s, err := d.scene(&b.Scenes[i])
		if err != nil {
			return nil, err
		}
		d.scenes = append(d.scenes, s)
	}
	var nodes []kept
	changes, thumbs := b.changes, b.thumbs
	for _, row := range b.Nodes {
		if row.Scene < 0 || row.Scene >= len(d.scenes) {
			return nil, fmt.Errorf("step %d refers to scene %d", row.ID, row.Scene)
		}
		if err := row.Label.check(); err != nil {
			return nil, fmt.Errorf("step %d: %w", row.ID, err)
		}
		k := kept{id: row.ID, parent: row.Parent, last: row.Last, label: row.Label, time: row.Time, scene: d.scenes[row.Scene], made: row.Made, then: row.Then}
		if len(k.made) > maxNoted || len(k.then) > maxNotedLines || slices.ContainsFunc(k.then, func(l string) bool { return len(l) > maxNoted }) {
			return nil, fmt.Errorf("step %d: its lines for a script are too long", row.ID)
		}
		for _, n := range row.Changes {
			if n < 0 || n > len(changes) {
				return nil, fmt.Errorf("step %d: its changes are cut short", row.ID)
			}
			ch := new(canvas.Change)
			if err := ch.UnmarshalBinary(changes[:n]); err != nil {
				return nil, fmt.Errorf("step %d: %w", row.ID, err)
			}
			changes = changes[n:]
			k.changes = append(k.changes, ch)
		}
		if n := row.Thumb; n != 0 {
			if n < 0 || n > maxThumb || n > len(thumbs) {
				return nil, fmt.Errorf("step %d: its thumbnail is cut short", row.ID)
			}
			k.thumb, thumbs = bytes.Clone(thumbs[:n]), thumbs[n:]
			if c, err := jpeg.DecodeConfig(bytes.NewReader(k.thumb)); err != nil || c.Width > 512 || c.Height > 512 {
				k.thumb = nil // a thumbnail is made again
			}
		}
		nodes = append(nodes, k)
	}
	return nodes, nil
}

func (l Label) check() error {
	if len(l.Key) > maxLabel || len(l.Args) > maxArgs {
		return errors.New("its label is too long")
	}
	for _, a := range l.Args {
		if len(a) > maxArgSize {
			return errors.New("its label is too long")
		}
	}
	return nil
}

func (d *decoder) code(id int) (latent.Code, error) {
	switch {
	case id == -1:
		return latent.Code{}, nil
	case id < -1 || id >= len(d.codes):
		return latent.Code{}, fmt.Errorf("there is no code %d", id)
	}
	return d.codes[id], nil
}

func (d *decoder) scene(row *sceneRow) (*Scene, error) {
	start, err := d.code(row.Start)
	if err != nil {
		return nil, err
	}
	s := &Scene{
		Source: Source{Kind: row.Kind, Name: row.Name, Seed: row.Seed, Truncation: row.Truncation, Difference: row.Difference},
		Start:  start, Notes: row.Notes, Settings: row.Settings, LabelsOf: row.LabelsOf,
		Protection: canvas.Protection{Solo: row.Solo, PreserveOthers: row.Preserve, Background: row.Background},
		Symmetry:   canvas.NewSymmetry(d.space.Width),
	}
	if row.Photo != -1 {
		if row.Photo < 0 || row.Photo >= len(d.photos) {
			return nil, fmt.Errorf("there is no photo %d", row.Photo)
		}
		s.Source.Photo = d.photos[row.Photo]
	}
	classes := len(d.space.Classes)
	if len(row.Notes) > maxNotes || len(row.Name) > maxTitleSize || len(row.Stack) > MaxStack || len(row.Choices) > maxRuns ||
		row.Solo < canvas.NoClass || row.Solo >= classes || row.MirrorSum < -2*MaxSide || row.MirrorSum > 4*MaxSide {
		return nil, errors.New("a scene is out of bounds")
	}
	for _, part := range []struct {
		ids []int
		set *[256]bool
	}{{row.Locked, &s.Protection.Locked}, {row.Hidden, &s.Protection.Hidden}} {
		for _, id := range part.ids {
			if id < 0 || id > 255 {
				return nil, fmt.Errorf("there is no class %d", id)
			}
			part.set[id] = true
		}
	}
	s.Symmetry.On, s.Symmetry.Sum = row.Mirror, row.MirrorSum
	for _, p := range row.Pairs {
		if int(p[1]) >= classes {
			return nil, fmt.Errorf("there is no class %d", p[1])
		}
		s.Symmetry.Pairs[p[0]] = p[1]
	}
	for class, state := range row.Status {
		if int(class) >= classes || state >= statuses {
			return nil, fmt.Errorf("state %d of class %d", state, class)
		}
	}
	s.Status = row.Status
	for _, k := range row.Stack {
		e := Edit{
			ID: k.ID, Name: k.Name, Library: k.Library, Content: k.Content, Strength: k.Strength, On: k.On, Calibration: k.Calibration,
			Refined: Refined{Strength: k.RefinedAt, Steps: k.RefineSteps},
		}
		if e.Delta, err = d.code(k.Delta); err != nil {
			return nil, err
		}
		if e.Refined.Correction, err = d.code(k.Correction); err != nil {
			return nil, err
		}
		if e.Delta.Empty() || start.Empty() || e.ID < 1 || s.index(e.ID) >= 0 || len(k.Name) > maxTitleSize {
			return nil, fmt.Errorf("edit %d is not well formed", k.ID)
		}
		if err := checkStrength(k.Strength); err != nil {
			return nil, err
		}
		for _, c := range k.Classes {
			if c < 0 || c > 255 {
				return nil, fmt.Errorf("there is no class %d", c)
			}
			e.Classes = append(e.Classes, uint8(c))
		}
		s.Stack = append(s.Stack, e)
	}
	for _, c := range row.Choices {
		if c.Run < 0 || c.Run >= len(d.runs) || c.Step < 0 || c.Step >= len(d.runs[c.Run].Steps) || (c.Edit != 0 && s.index(c.Edit) < 0) {
			return nil, fmt.Errorf("run %d is not well formed", c.Run)
		}
		s.Choices = append(s.Choices, Choice{d.runs[c.Run], c.Step, c.Edit})
	}
	return s, nil
}

// spaceRow is a [Space] in a file.
type spaceRow struct {
	Model   vectors.Model `json:"model"`
	Rows    int           `json:"rows"`
	Dim     int           `json:"dim"`
	Width   int           `json:"width"`
	Height  int           `json:"height"`
	Classes []classRow    `json:"classes"`
}

type classRow struct {
	Name   string `json:"name"`
	Colour string `json:"colour"`
	Pair   uint8  `json:"pair"`
}

func (s Space) row() spaceRow {
	r := spaceRow{Model: s.Model, Rows: s.Rows, Dim: s.Dim, Width: s.Width, Height: s.Height}
	for _, c := range s.Classes {
		r.Classes = append(r.Classes, classRow{c.Name, fmt.Sprintf("#%02x%02x%02x", c.Colour.R, c.Colour.G, c.Colour.B), c.Pair})
	}
	return r
}

func (r spaceRow) space() (Space, error) {
	s := Space{Model: r.Model, Rows: r.Rows, Dim: r.Dim, Width: r.Width, Height: r.Height}
	if len(r.Classes) > 256 {
		return Space{}, fmt.Errorf("%d classes, at most 256 expected", len(r.Classes))
	}
	for i, c := range r.Classes {
		k := Class{ID: uint8(i), Name: c.Name, Colour: color.RGBA{A: 0xff}, Pair: c.Pair}
		if _, err := fmt.Sscanf(c.Colour, "#%02x%02x%02x", &k.Colour.R, &k.Colour.G, &k.Colour.B); err != nil {
			return Space{}, fmt.Errorf("colour %q of class %d, #rrggbb expected", c.Colour, i)
		}
		s.Classes = append(s.Classes, k)
	}
	return s, s.check()
}

// restore puts a decoded node into the history. A known id is a node that has been completed; it must be the
// present one and is returned with what it had before.
func (h *history) restore(k kept) (*node, error) {
	if k.id < 1 || h.nodes[k.id] != nil {
		return nil, fmt.Errorf("step %d is there twice", k.id)
	}
	n := &node{id: k.id, label: k.label, time: k.time, scene: k.scene, changes: k.changes, thumb: k.thumb, made: k.made, then: k.then}
	if h.root == nil {
		if k.parent != 0 {
			return nil, fmt.Errorf("step %d comes before its parent %d", k.id, k.parent)
		}
		h.root = n
	} else if n.parent = h.nodes[k.parent]; n.parent == nil || k.id <= k.parent {
		return nil, fmt.Errorf("step %d comes before its parent %d", k.id, k.parent)
	}
	h.attach(n)
	h.next = max(h.next, k.id+1)
	return n, nil
}

// highest returns the largest id of an edit in the scenes.
func (d *decoder) highest() EditID {
	var top EditID
	for _, s := range d.scenes {
		for _, e := range s.Stack {
			top = max(top, e.ID)
		}
	}
	return top
}

func unmarshal(raw []byte, into any) error {
	if len(raw) > maxJSON {
		return fmt.Errorf("%d bytes of JSON, at most %d expected", len(raw), maxJSON)
	}
	return json.Unmarshal(raw, into)
}
