package control

import "strings"

// upper returns s in capitals.
func upper(s string) string { return strings.ToUpper(s) }
