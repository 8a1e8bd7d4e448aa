package document

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"latentbrush/engine/latent"
)

// A script is a session as text: one action a line, in the order in which they were done. It is written by
// [Document.WriteScript], read by [ParseScript], and done again by [Player]. docs/formats.md describes it.

// ScriptVersion is the version that this program writes, and the newest it reads.
const ScriptVersion = 1

// ScriptExt is the extension of script files.
const ScriptExt = ".lbscript"

const (
	scriptMagic    = "latentbrush-script"
	maxScript      = 256 << 20 // bytes
	maxScriptLine  = 16 << 20  // bytes
	maxScriptLines = 1_000_000
	maxWord        = 4096 // bytes of a quoted word
)

// ErrNoScript says that a file is no script at all.
var ErrNoScript = errors.New("document: it is no script, which begins with \"latentbrush-script\"")

// Line is one action of a script: a verb, arguments, and arguments with names.
type Line struct {
	Verb string
	Args []string
	Keys []Key
	// Number is the line's number in its file, from 1; 0 for a line that was not read.
	Number int
}

// Key is a named argument of a [Line].
type Key struct{ Name, Value string }

// Get returns the named argument, and false where there is none.
func (l Line) Get(name string) (string, bool) {
	for _, k := range l.Keys {
		if k.Name == name {
			return k.Value, true
		}
	}
	return "", false
}

// arg returns an argument by position.
func (l Line) arg(i int) (string, error) {
	if i >= len(l.Args) {
		return "", fmt.Errorf("%q needs %d arguments, it has %d", l.Verb, i+1, len(l.Args))
	}
	return l.Args[i], nil
}

// set appends a named argument.
func (l *Line) set(name, value string) { l.Keys = append(l.Keys, Key{name, value}) }

func (l *Line) setInt(name string, v int) { l.set(name, strconv.Itoa(v)) }

func (l *Line) setFloat(name string, v float64) { l.set(name, number(v)) }

// number writes a number so that reading it gives the same one.
func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// word writes an argument, quoted where it has to be.
func word(s string) string {
	plain := s != "" && utf8.ValidString(s)
	for _, r := range s {
		if r == '"' || r == '=' || r == '#' || r == '\\' || unicode.IsSpace(r) || !unicode.IsPrint(r) {
			plain = false
		}
	}
	if plain {
		return s
	}
	return strconv.Quote(s)
}

// String writes the line without its end.
func (l Line) String() string {
	var b strings.Builder
	b.WriteString(l.Verb)
	for _, a := range l.Args {
		b.WriteByte(' ')
		b.WriteString(word(a))
	}
	for _, k := range l.Keys {
		b.WriteByte(' ')
		b.WriteString(k.Name)
		b.WriteByte('=')
		b.WriteString(word(k.Value))
	}
	return b.String()
}

// parseLine reads a line that is neither empty nor a remark.
func parseLine(text string) (Line, error) {
	var l Line
	for text = strings.TrimSpace(text); text != "" && text[0] != '#'; text = strings.TrimLeft(text, " \t") {
		first, quoted, rest, err := cutWord(text)
		if err != nil {
			return Line{}, err
		}
		text = rest
		switch {
		case l.Verb == "":
			if quoted || first == "" || !isName(first) {
				return Line{}, fmt.Errorf("%.40q is no action", first)
			}
			l.Verb = first
		case !quoted && strings.HasPrefix(text, "="):
			if !isName(first) {
				return Line{}, fmt.Errorf("%.40q is no name of an argument", first)
			}
			value, _, rest, err := cutWord(text[1:])
			if err != nil {
				return Line{}, err
			}
			l.Keys = append(l.Keys, Key{first, value})
			text = rest
		default:
			if len(l.Keys) > 0 {
				return Line{}, fmt.Errorf("%.40q comes after the arguments with names", first)
			}
			l.Args = append(l.Args, first)
		}
		if text != "" && text[0] != ' ' && text[0] != '\t' {
			return Line{}, fmt.Errorf("a space is missing before %.20q", text)
		}
	}
	return l, nil
}

// cutWord takes the first word off text, which is not empty or begins a value.
func cutWord(text string) (word string, quoted bool, rest string, err error) {
	if strings.HasPrefix(text, `"`) {
		q, err := strconv.QuotedPrefix(text)
		if err != nil {
			return "", true, "", fmt.Errorf("the quotation %.40s is not closed", text)
		}
		word, err := strconv.Unquote(q)
		if err != nil || len(word) > maxWord && len(word) > maxNotes {
			return "", true, "", fmt.Errorf("the quotation %.40s cannot be read", q)
		}
		return word, true, text[len(q):], nil
	}
	i := strings.IndexAny(text, " \t=\"")
	if i < 0 {
		i = len(text)
	}
	return text[:i], false, text[i:], nil
}

// isName reports whether s is made of small letters, digits and hyphens.
func isName(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != ""
}

// Script is a session to be done again.
type Script struct {
	Lines []Line
	data  map[string]string // codes in base64, by name
}

// ParseScript reads a script. Every error names the line. What the actions mean is checked when they are done.
func ParseScript(r io.Reader) (*Script, error) {
	in := bufio.NewScanner(io.LimitReader(r, maxScript))
	in.Buffer(make([]byte, 0, 64<<10), maxScriptLine)
	s := &Script{data: map[string]string{}}
	begun := false
	n := 0
	for in.Scan() {
		n++
		text := strings.TrimSpace(strings.TrimPrefix(in.Text(), "\ufeff"))
		if text == "" || text[0] == '#' {
			continue
		}
		if !utf8.ValidString(text) {
			if !begun {
				return nil, ErrNoScript
			}
			return nil, fmt.Errorf("document: line %d of the script is not text in UTF-8", n)
		}
		l, err := parseLine(text)
		if err != nil {
			if !begun {
				return nil, ErrNoScript
			}
			return nil, fmt.Errorf("document: line %d of the script: %w", n, err)
		}
		l.Number = n
		switch {
		case !begun:
			if l.Verb != scriptMagic || len(l.Args) != 1 {
				return nil, ErrNoScript
			}
			v, err := strconv.Atoi(l.Args[0])
			if err != nil || v < 1 || v > ScriptVersion {
				return nil, fmt.Errorf("document: the script's version is %.20s; this program reads up to %d", l.Args[0], ScriptVersion)
			}
			begun = true
		case l.Verb == "data":
			if len(l.Args) != 2 || s.data[l.Args[0]] != "" {
				return nil, fmt.Errorf("document: line %d of the script: data has a name of its own and a value", n)
			}
			s.data[l.Args[0]] = l.Args[1]
		default:
			s.Lines = append(s.Lines, l)
		}
		if len(s.Lines) > maxScriptLines {
			return nil, fmt.Errorf("document: the script has more than %d lines", maxScriptLines)
		}
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("document: line %d of the script: %w", n+1, err)
	}
	if !begun {
		return nil, ErrNoScript
	}
	return s, nil
}

// WriteTo writes the script. It is the inverse of [ParseScript] but for remarks.
func (s *Script) WriteTo(w io.Writer) (int64, error) {
	b := bufio.NewWriter(w)
	var total int64
	put := func(text string) {
		n, _ := b.WriteString(text + "\n") // the error stays until Flush
		total += int64(n)
	}
	put(fmt.Sprintf("%s %d", scriptMagic, ScriptVersion))
	for _, l := range s.Lines {
		put(l.String())
	}
	names := make([]string, 0, len(s.data))
	for name := range s.data {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	for _, name := range names {
		put("data " + word(name) + " " + word(s.data[name]))
	}
	return total, b.Flush()
}

// Begin returns the index of the first line that belongs to the recording, as opposed to what was there when it
// began: the line after "begin", or after the first "open" where there is no "begin".
func (s *Script) Begin() int {
	open := 0
	for i, l := range s.Lines {
		if l.Verb == "begin" {
			return i + 1
		}
		if l.Verb == "open" && open == 0 {
			open = i + 1
		}
	}
	return open
}

// code decodes a code of the script's data.
func (s *Script) code(name string, rows, dim int) (latent.Code, error) {
	text, ok := s.data[name]
	if !ok {
		return latent.Code{}, fmt.Errorf("the script has no data %q", name)
	}
	if base64.StdEncoding.DecodedLen(len(text)) > 4*rows*dim+4 {
		return latent.Code{}, fmt.Errorf("data %q is too long for a code of %d × %d numbers", name, rows, dim)
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != 4*rows*dim {
		return latent.Code{}, fmt.Errorf("data %q is no code of %d × %d numbers in base64", name, rows, dim)
	}
	c := latent.New(rows, dim)
	for i := range c.Data {
		c.Data[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return c, c.Check(rows, dim)
}

// keep stores a code and returns its name.
func (s *Script) keep(c latent.Code) string {
	text := base64.StdEncoding.EncodeToString(codeBytes(c))
	for name, have := range s.data {
		if have == text {
			return name
		}
	}
	name := fmt.Sprint("d", len(s.data)+1)
	s.data[name] = text
	return name
}

// Rows of pixels are written as "12:30-45,50" and equal ones together as "12-20:30-45,50": the row or rows, then the
// columns, all counted from 0, both ends included.

// spansOf writes the marked pixels of a w pixels wide picture.
func spansOf(set []bool, w int) []string {
	var out []string
	row := func(y int) string {
		var b strings.Builder
		for x := 0; x < w; x++ {
			if !set[y*w+x] {
				continue
			}
			from := x
			for x+1 < w && set[y*w+x+1] {
				x++
			}
			if b.Len() > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strconv.Itoa(from))
			if x > from {
				b.WriteByte('-')
				b.WriteString(strconv.Itoa(x))
			}
		}
		return b.String()
	}
	h := len(set) / w
	for y := 0; y < h; y++ {
		columns := row(y)
		if columns == "" {
			continue
		}
		from := y
		for y+1 < h && row(y+1) == columns {
			y++
		}
		rows := strconv.Itoa(from)
		if y > from {
			rows += "-" + strconv.Itoa(y)
		}
		out = append(out, rows+":"+columns)
	}
	return out
}

// eachSpan calls fn with the rows and columns that one word of a line names, half open, within w × h pixels.
func eachSpan(text string, w, h int, fn func(y, x0, x1 int)) error {
	rows, columns, ok := strings.Cut(text, ":")
	y0, y1, err := parseRange(rows, h)
	if !ok || err != nil {
		return fmt.Errorf("pixels %.40q, rows:columns within %d × %d expected", text, w, h)
	}
	type run struct{ x0, x1 int }
	var runs []run
	for part := range strings.SplitSeq(columns, ",") {
		x0, x1, err := parseRange(part, w)
		if err != nil || len(runs) >= w {
			return fmt.Errorf("pixels %.40q, rows:columns within %d × %d expected", text, w, h)
		}
		runs = append(runs, run{x0, x1})
	}
	for y := y0; y < y1; y++ {
		for _, r := range runs {
			fn(y, r.x0, r.x1)
		}
	}
	return nil
}

// parseRange reads "a" or "a-b", 0 ≤ a ≤ b < n, and returns it half open.
func parseRange(text string, n int) (from, to int, err error) {
	a, b, two := strings.Cut(text, "-")
	if from, err = strconv.Atoi(a); err != nil {
		return 0, 0, err
	}
	to = from
	if two {
		if to, err = strconv.Atoi(b); err != nil {
			return 0, 0, err
		}
	}
	if from < 0 || to < from || to >= n {
		return 0, 0, fmt.Errorf("%d to %d is not within 0 to %d", from, to, n-1)
	}
	return from, to + 1, nil
}
