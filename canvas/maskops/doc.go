// Package maskops repaints label maps by script: what an artist would paint by hand,
// written down so that it can be done to many pictures.
//
// An operation moves, scales, rotates, fills, grows or copies a part. A part is a set
// of classes that belong together, "eye_l+iris_l+pupil_l". The pixels that a part
// leaves behind are filled from the nearest pixels of other classes. Ids are names and
// not numbers, so nothing is ever interpolated: every new pixel looks up the one old
// pixel that lands on it.
//
// # The text form
//
// A [Script] is operations with semicolons between them, each of them fields with
// colons between them:
//
//	move:PARTS:DX,DY        shift the parts
//	raise:PARTS:D           shift them up
//	scale:PARTS:F[,FY]      enlarge them about the middle of their own boxes
//	rotate:PARTS:DEGREES    turn them, clockwise as one sees it
//	grow:PARTS:D            add a band of width D around them
//	shrink:PARTS:D          take such a band from them
//	thicken:PARTS:D         add D to their height, half above and half below
//	extend:PARTS:DX,DY      smear them in a direction
//	fill:PARTS:CLASS        give their pixels to a class, or to what is "near"
//	band:PARTS:SIDE,D,CLASS paint CLASS on a band of depth D along a side of the parts:
//	                        top, bottom, left or right
//	copy:PARTS[:F]          take the parts from a reference picture, F times as large
//
// PARTS are parts with commas between them; classes of one part are joined by a plus.
// Lengths are shares of the picture's longer side, so a script fits every size. After
// the fields, options may follow:
//
//	over=CLASS,...      new pixels only replace pixels of these classes
//	anchor=SIDE         scale and rotate about the middle of that side of the box
//
// For example, "move:iris_l+pupil_l,iris_r+pupil_r:0.03,0:over=eye_l,eye_r" looks to
// the right of the picture.
package maskops
