package portrait

import "image/color"

// A Class is one part of the face in a label map.
type Class struct {
	ID    uint8      // value of a label map's pixels
	Name  string     // stable identifier, for example "eye_l"
	Color color.RGBA // colour of the class in Palette, opaque
	Pair  uint8      // id of the same part on the other side; ID itself where there is none
	Group string     // parts that belong together: "scene", "head", "eyes", "nose", "mouth" or "worn"
}

// Class ids. The suffix says on which side of the picture a part lies: L is
// on the picture's left.
const (
	Background uint8 = iota
	Skin
	Hair
	BrowL
	BrowR
	EyeL
	EyeR
	IrisL
	IrisR
	PupilL
	PupilR
	Nose
	UpperLip
	LowerLip
	MouthIn
	Teeth
	EarL
	EarR
	Neck
	Clothes
	Glasses
	Beard
	classCount
)

// Classes lists every class; the index is the id.
var Classes = []Class{
	{Background, "background", color.RGBA{148, 178, 210, 255}, Background, "scene"},
	{Skin, "skin", color.RGBA{240, 201, 170, 255}, Skin, "head"},
	{Hair, "hair", color.RGBA{112, 62, 24, 255}, Hair, "head"},
	{BrowL, "brow_l", color.RGBA{60, 28, 12, 255}, BrowR, "eyes"},
	{BrowR, "brow_r", color.RGBA{88, 46, 22, 255}, BrowL, "eyes"},
	{EyeL, "eye_l", color.RGBA{255, 255, 255, 255}, EyeR, "eyes"},
	{EyeR, "eye_r", color.RGBA{222, 230, 250, 255}, EyeL, "eyes"},
	{IrisL, "iris_l", color.RGBA{36, 112, 220, 255}, IrisR, "eyes"},
	{IrisR, "iris_r", color.RGBA{24, 158, 178, 255}, IrisL, "eyes"},
	{PupilL, "pupil_l", color.RGBA{8, 8, 12, 255}, PupilR, "eyes"},
	{PupilR, "pupil_r", color.RGBA{52, 34, 74, 255}, PupilL, "eyes"},
	{Nose, "nose", color.RGBA{255, 160, 112, 255}, Nose, "nose"},
	{UpperLip, "upper_lip", color.RGBA{200, 36, 64, 255}, UpperLip, "mouth"},
	{LowerLip, "lower_lip", color.RGBA{240, 88, 108, 255}, LowerLip, "mouth"},
	{MouthIn, "mouth_in", color.RGBA{86, 0, 18, 255}, MouthIn, "mouth"},
	{Teeth, "teeth", color.RGBA{255, 252, 206, 255}, Teeth, "mouth"},
	{EarL, "ear_l", color.RGBA{214, 138, 96, 255}, EarR, "head"},
	{EarR, "ear_r", color.RGBA{190, 112, 120, 255}, EarL, "head"},
	{Neck, "neck", color.RGBA{212, 166, 134, 255}, Neck, "head"},
	{Clothes, "clothes", color.RGBA{60, 144, 92, 255}, Clothes, "worn"},
	{Glasses, "glasses", color.RGBA{250, 0, 250, 255}, Glasses, "worn"},
	{Beard, "beard", color.RGBA{132, 104, 34, 255}, Beard, "head"},
}

// Palette is the palette of every label map: Classes' colours by id.
var Palette = func() color.Palette {
	p := make(color.Palette, len(Classes))
	for i, c := range Classes {
		p[i] = c.Color
	}
	return p
}()
