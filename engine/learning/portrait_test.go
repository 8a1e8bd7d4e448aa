package learning

import (
	"latentbrush/assets/portrait"
	"latentbrush/canvas/maskops"
)

func portraitNames() maskops.Names {
	n := maskops.Names{}
	for _, c := range portrait.Classes {
		n[c.Name] = c.ID
	}
	return n
}
