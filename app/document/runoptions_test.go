package document

import "testing"

// A script's line holds every setting of an optimisation that is not the default.
func TestRunOptionsInScripts(t *testing.T) {
	want := RunOptions{
		Search: "rows", Steps: 40, Rate: 0.05, PictureWeight: -1, PerceptualWeight: 2, Prior: 0.25,
		IdentityWeight: 0.5, NoGuess: true, Agreement: 0.97, Flat: -1, WholeClasses: true, Dilation: 4,
	}
	got, err := RunLine("r1", -1, 0, 3, want).options()
	if err != nil || got != want {
		t.Errorf("read back %+v, %v, want %+v", got, err, want)
	}
	if got, err := RunLine("r1", -1, 0, 3, RunOptions{}).options(); err != nil || got != (RunOptions{}) {
		t.Errorf("no settings were read back as %+v, %v", got, err)
	}
}
