package portrait

import "math"

// An Index names one render parameter: its place in Params and Parameters.
type Index int

// The render parameters, in the order of the latent coordinates that set them.
const (
	FaceWidth Index = iota
	FaceLength
	JawWidth
	ChinPoint
	CheekFull
	SkinTone
	SkinUndertone
	Blush
	Freckles
	Age
	EyeSize
	EyeSpacing
	EyeTilt
	EyeRound
	IrisHue
	IrisSize
	Lash
	Eyeshadow
	BrowThick
	BrowArch
	BrowLength
	BrowHeight
	NoseWidth
	NoseLength
	NoseBridge
	NoseTip
	MouthWidth
	LipUpper
	LipLower
	LipRed
	MouthGap
	EarSize
	HairTone
	HairRed
	HairGrey
	HairLength
	HairVolume
	Hairline
	Fringe
	HairPart
	HairWave
	HairSide
	BeardFull
	Moustache
	GlassesOn
	GlassesSize
	GlassesRound
	GlassesDark
	NeckWidth
	ClothHue
	ClothLight
	Collar
	Smile
	MouthOpen
	BrowRaise
	BrowFrown
	GazeX
	GazeY
	EyeClose
	PupilSize
	Yaw
	Pitch
	LightX
	LightY
	LightWarm
	BackgroundHue
	BackgroundLight

	// Count is the number of parameters.
	Count = int(iota)
)

// Groups of parameters.
const (
	Identity   = "identity"
	Expression = "expression"
	Pose       = "pose"
	Light      = "light"
)

// A Parameter describes one coordinate of Params.
type Parameter struct {
	Name     string  // stable identifier
	Lo, Hi   float32 // value at the lower and upper end; lengths are in half picture widths
	Group    string  // Identity, Expression, Pose or Light
	Presence bool    // grows in from 0 to 1; where Lo < 0 that part of the range means absent
}

// Parameters describes every parameter; the index is an Index.
var Parameters = []Parameter{
	FaceWidth:       {Name: "face_width", Lo: .49, Hi: .56, Group: Identity},
	FaceLength:      {Name: "face_length", Lo: .70, Hi: .80, Group: Identity},
	JawWidth:        {Name: "jaw_width", Lo: 0, Hi: 1, Group: Identity},
	ChinPoint:       {Name: "chin_point", Lo: 0, Hi: 1, Group: Identity},
	CheekFull:       {Name: "cheek_full", Lo: 0, Hi: 1, Group: Identity},
	SkinTone:        {Name: "skin_tone", Lo: 0, Hi: 1, Group: Identity},
	SkinUndertone:   {Name: "skin_undertone", Lo: -1, Hi: 1, Group: Identity},
	Blush:           {Name: "blush", Lo: 0, Hi: 1, Group: Identity},
	Freckles:        {Name: "freckles", Lo: -1.4, Hi: 1, Group: Identity, Presence: true},
	Age:             {Name: "age", Lo: -.8, Hi: 1, Group: Identity, Presence: true},
	EyeSize:         {Name: "eye_size", Lo: .145, Hi: .170, Group: Identity},
	EyeSpacing:      {Name: "eye_spacing", Lo: .243, Hi: .272, Group: Identity},
	EyeTilt:         {Name: "eye_tilt", Lo: -.06, Hi: .2, Group: Identity},
	EyeRound:        {Name: "eye_round", Lo: .38, Hi: .54, Group: Identity},
	IrisHue:         {Name: "iris_hue", Lo: 0, Hi: 1, Group: Identity},
	IrisSize:        {Name: "iris_size", Lo: .43, Hi: .51, Group: Identity},
	Lash:            {Name: "lash", Lo: .1, Hi: 1, Group: Identity},
	Eyeshadow:       {Name: "eyeshadow", Lo: -1, Hi: 1, Group: Identity, Presence: true},
	BrowThick:       {Name: "brow_thick", Lo: .017, Hi: .031, Group: Identity},
	BrowArch:        {Name: "brow_arch", Lo: .01, Hi: .06, Group: Identity},
	BrowLength:      {Name: "brow_length", Lo: .15, Hi: .19, Group: Identity},
	BrowHeight:      {Name: "brow_height", Lo: .185, Hi: .23, Group: Identity},
	NoseWidth:       {Name: "nose_width", Lo: .07, Hi: .115, Group: Identity},
	NoseLength:      {Name: "nose_length", Lo: .25, Hi: .32, Group: Identity},
	NoseBridge:      {Name: "nose_bridge", Lo: .2, Hi: 1, Group: Identity},
	NoseTip:         {Name: "nose_tip", Lo: 0, Hi: 1, Group: Identity},
	MouthWidth:      {Name: "mouth_width", Lo: .162, Hi: .216, Group: Identity},
	LipUpper:        {Name: "lip_upper", Lo: .028, Hi: .05, Group: Identity},
	LipLower:        {Name: "lip_lower", Lo: .04, Hi: .066, Group: Identity},
	LipRed:          {Name: "lip_red", Lo: 0, Hi: 1, Group: Identity},
	MouthGap:        {Name: "mouth_gap", Lo: .125, Hi: .16, Group: Identity},
	EarSize:         {Name: "ear_size", Lo: .11, Hi: .15, Group: Identity},
	HairTone:        {Name: "hair_tone", Lo: 0, Hi: 1, Group: Identity},
	HairRed:         {Name: "hair_red", Lo: -1.6, Hi: 1, Group: Identity, Presence: true},
	HairGrey:        {Name: "hair_grey", Lo: -3, Hi: 1, Group: Identity, Presence: true},
	HairLength:      {Name: "hair_length", Lo: 0, Hi: 1, Group: Identity},
	HairVolume:      {Name: "hair_volume", Lo: .085, Hi: .17, Group: Identity},
	Hairline:        {Name: "hairline", Lo: .47, Hi: .58, Group: Identity},
	Fringe:          {Name: "fringe", Lo: -.9, Hi: 1, Group: Identity, Presence: true},
	HairPart:        {Name: "hair_part", Lo: -.26, Hi: .26, Group: Identity},
	HairWave:        {Name: "hair_wave", Lo: 0, Hi: 1, Group: Identity},
	HairSide:        {Name: "hair_side", Lo: 0, Hi: 1, Group: Identity},
	BeardFull:       {Name: "beard", Lo: -3, Hi: 1, Group: Identity, Presence: true},
	Moustache:       {Name: "moustache", Lo: -4, Hi: 1, Group: Identity, Presence: true},
	GlassesOn:       {Name: "glasses", Lo: -2.2, Hi: 1, Group: Identity, Presence: true},
	GlassesSize:     {Name: "glasses_size", Lo: .185, Hi: .22, Group: Identity},
	GlassesRound:    {Name: "glasses_square", Lo: 0, Hi: 1, Group: Identity},
	GlassesDark:     {Name: "glasses_colour", Lo: 0, Hi: 1, Group: Identity},
	NeckWidth:       {Name: "neck_width", Lo: .25, Hi: .33, Group: Identity},
	ClothHue:        {Name: "cloth_hue", Lo: 0, Hi: 1, Group: Identity},
	ClothLight:      {Name: "cloth_light", Lo: 0, Hi: 1, Group: Identity},
	Collar:          {Name: "collar", Lo: 0, Hi: 1, Group: Identity},
	Smile:           {Name: "smile", Lo: -.15, Hi: 1, Group: Expression},
	MouthOpen:       {Name: "mouth_open", Lo: -.7, Hi: 1, Group: Expression, Presence: true},
	BrowRaise:       {Name: "brow_raise", Lo: -.35, Hi: 1, Group: Expression},
	BrowFrown:       {Name: "brow_frown", Lo: -.7, Hi: .45, Group: Expression},
	GazeX:           {Name: "gaze_x", Lo: -1, Hi: 1, Group: Expression},
	GazeY:           {Name: "gaze_y", Lo: -1, Hi: 1, Group: Expression},
	EyeClose:        {Name: "eye_close", Lo: -6, Hi: 1, Group: Expression, Presence: true},
	PupilSize:       {Name: "pupil_size", Lo: .36, Hi: .52, Group: Expression},
	Yaw:             {Name: "yaw", Lo: -1, Hi: 1, Group: Pose},
	Pitch:           {Name: "pitch", Lo: -1, Hi: 1, Group: Pose},
	LightX:          {Name: "light_x", Lo: -1, Hi: 1, Group: Light},
	LightY:          {Name: "light_y", Lo: 0, Hi: 1, Group: Light},
	LightWarm:       {Name: "light_warm", Lo: 0, Hi: 1, Group: Light},
	BackgroundHue:   {Name: "background_hue", Lo: 0, Hi: 1, Group: Light},
	BackgroundLight: {Name: "background_light", Lo: 0, Hi: 1, Group: Light},
}

// Params are the values of all parameters, in the units of Parameters; a
// Presence parameter lies in [0, 1].
type Params [Count]float32

// Clip is the bound on a normal coordinate: |z| beyond it changes nothing.
const Clip = 2.5

// FromNormal turns standard-normal coordinates into parameters:
// lo + (hi-lo)·Φ(clip(z, ±2.5)), so that normal coordinates give uniform
// values. A Presence parameter is then clamped at 0 and eased in and out by
// smoothstep. Coordinates beyond len(z) are taken as 0, those beyond Count are
// ignored, and one that is not a number counts as 0.
func FromNormal(z []float32) Params {
	var p Params
	for i := range p {
		var x float64
		if i < len(z) {
			x = float64(z[i])
		}
		if math.IsNaN(x) {
			x = 0
		}
		x = min(max(x, -Clip), Clip)
		phi := .5 * math.Erfc(-x/math.Sqrt2)
		q := &Parameters[i]
		v := q.Lo + (q.Hi-q.Lo)*float32(phi)
		if q.Presence {
			v = smooth(v / q.Hi)
		}
		p[i] = v
	}
	return p
}

// bounded returns p with every value inside its range and no NaN.
func (p Params) bounded() Params {
	for i, q := range Parameters {
		lo, hi := q.Lo, q.Hi
		if q.Presence {
			lo, hi = 0, 1
		}
		if v := p[i]; v != v {
			p[i] = (lo + hi) / 2
		} else {
			p[i] = min(max(v, lo), hi)
		}
	}
	return p
}
