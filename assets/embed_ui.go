// Package assets holds what the program carries with it: drawings, texts, typefaces.
package assets

import "embed"

// AppIcon is the program's own picture, a PNG: half a portrait, half its mask.
//
//go:embed icons/latentbrush.png
var AppIcon []byte

// Icons holds the window's drawings: one SVG per tool, panel and button, on a
// 24 × 24 grid, drawn in currentColor so that the theme chooses the colour.
//
//go:embed icons/*.svg
var Icons embed.FS

// Lang holds the window's texts: one flat JSON object per language, key to text.
//
//go:embed lang/*.json
var Lang embed.FS

// Fonts holds the window's typefaces, subsets under the SIL Open Font License
// (fonts/OFL.txt): Inter for Latin, M PLUS 1 for Japanese.
//
//go:embed fonts/*.otf fonts/OFL.txt
var Fonts embed.FS
