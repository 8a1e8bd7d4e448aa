package checkpoint

import (
	"testing"
)

// TestProtocol0Strings reads text as Python's pickle.dumps(…, protocol=0) writes it.
func TestProtocol0Strings(t *testing.T) {
	for _, c := range []struct{ name, pickle, want string }{
		{"letters", "Vg_ema\np0\n.", "g_ema"},
		{"Latin-1 is written as it is", "Vd\xe9j\xe0 vu\np0\n.", "déjà vu"},
		{"the rest of the first plane", "V\\u03b1\\u6f22\np0\n.", "α漢"},
		{"beyond it", "V\\U0001f600!\np0\n.", "😀!"},
		{"line ends and backslashes", "Va\\u000ab\\u005cu\np0\n.", "a\nb\\u"},
		{"a backslash that escapes nothing", "Va\\xb\\\np0\n.", `a\xb\`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _, n, err := unpickle([]byte(c.pickle), 0)
			if err != nil || got != c.want || n != len(c.pickle) {
				t.Fatalf("got %q after %d bytes, %v; want %q after %d", got, n, err, c.want, len(c.pickle))
			}
		})
	}
	for _, bad := range []string{"V\\u12\n.", "V\\u12g4\n.", "V\\U00110000\n.", "V\\u-123\n."} {
		if got, _, _, err := unpickle([]byte(bad), 0); err == nil {
			t.Errorf("%q was read as %q, want an error", bad, got)
		}
	}
}
