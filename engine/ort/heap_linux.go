//go:build cgo

package ort

/*
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
static void release(void) { malloc_trim(0); }
#else
static void release(void) {}
#endif
*/
import "C"

// releaseHeap gives the free pages of the C heap back. The library takes and frees hundreds of megabytes while it
// prepares a model, and glibc keeps what lies below the last block in use.
func releaseHeap() { C.release() }
