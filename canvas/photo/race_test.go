//go:build race

package photo_test

const raced = true
