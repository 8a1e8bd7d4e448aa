// Package look is the window's appearance: one theme in a dark and a light
// variant, the spacing grid, the typefaces and the drawn icons.
//
// The picture is the only colourful thing on the screen. Everything around it
// is one of a few greys of equal hue, so that the eye judges the picture's
// colours against neutral surroundings, and one accent marks what is active.
// Surfaces are told apart by lightness, not by lines; a line is used only where
// two surfaces of the same lightness meet.
//
// Distances are multiples of Grid (4 units). Widgets ask this package for
// colours by name (C) and never hold a colour themselves, so a change of
// variant needs only a refresh.
package look
