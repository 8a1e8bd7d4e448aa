// Package document holds the open picture: the only state of the program.
//
// A [Document] is a picture of one model: a starting code, an edit stack whose
// sum with it is the present code, a canvas with the labels that the artist
// paints, and notes. Windows and commands read it, change it through its
// methods, and redraw when it tells them to; they keep nothing of their own.
//
// # History
//
// Everything but the pixels is in a [Scene], a value that is never changed:
// a command makes a new one. The pixels are in a canvas, whose differences are
// small ([canvas.Change]). A node of the history is a scene and the
// differences to the node before it; so going to another node, an optimisation
// included, only swaps a pointer and applies differences. Nothing is computed again.
// The history is a tree: going back and then doing something else makes a branch, and every
// node stays reachable until the limits of memory are met, the oldest side branches going first.
//
// # Safety
//
// A project is one file, written atomically ([Document.Save]). Between saves, a
// [Journal] appends every node to a file as it is made, on its own goroutine.
// After a crash [Recoverable] finds it.
//
// # Rules
//
// A Document belongs to one goroutine. Scenes, codes, runs and vectors that it
// was given or gives out must not be written to. The engine is reached through
// the interface [Renderer] only.
package document
