// Package window is the editor's main window: its layout, its keys, its sheets,
// and the studio that joins them to the engine, the canvas and the document.
//
// The flow is one way round. A gesture becomes an action of the table or a stroke
// of the painter; the studio turns it into a change of the document; the document
// says what changed; the studio asks the engine for a picture where one is needed
// and shows everything anew. Nothing the window shows is kept anywhere but in the
// document, the settings and the canvas.
//
// The package links no graphics driver: package gui starts it on a real screen,
// the tests on Fyne's painter in memory.
package window
