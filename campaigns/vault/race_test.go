//go:build race

package vault

// raceDetector makes pools drop what they hold at random, so that allocations cannot be counted.
const raceDetector = true
