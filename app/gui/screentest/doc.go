// Package screentest drives the real program on a screen of its own: it builds
// Latentbrush, starts it under Xvfb and does a person's work with real pointer and
// key events from xdotool. What the program did comes back through the trace that
// LATENTBRUSH_TRACE asks for; pictures of the window are kept in build/shots.
package screentest
