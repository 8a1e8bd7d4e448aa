package look

import (
	"fmt"
	"image/color"
	"strings"
	"sync"

	"fyne.io/fyne/v2"

	"latentbrush/assets"
)

var icons struct {
	sync.Mutex
	made map[string]fyne.Resource
}

// Icon returns the named drawing of assets/icons in colour c. It panics when
// there is no such drawing, which is a mistake in the program.
func Icon(name string, c color.Color) fyne.Resource {
	r, g, b, a := c.RGBA()
	if a > 0 && a < 0xffff {
		r, g, b = r*0xffff/a, g*0xffff/a, b*0xffff/a
	}
	key := fmt.Sprintf("%s-%02x%02x%02x.svg", name, r>>8, g>>8, b>>8)
	icons.Lock()
	defer icons.Unlock()
	if res, ok := icons.made[key]; ok {
		return res
	}
	src, err := assets.Icons.ReadFile("icons/" + name + ".svg")
	if err != nil {
		panic("look: no icon " + name)
	}
	text := strings.ReplaceAll(string(src), "currentColor", fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8))
	res := fyne.NewStaticResource(key, []byte(text))
	if icons.made == nil {
		icons.made = map[string]fyne.Resource{}
	}
	icons.made[key] = res
	return res
}

// HasIcon reports whether assets/icons holds the named drawing.
func HasIcon(name string) bool {
	_, err := assets.Icons.ReadFile("icons/" + name + ".svg")
	return err == nil
}
