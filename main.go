// Kithline is a self-hosted advocacy campaign and outreach toolkit. See README.md.
package main

import (
	"os"
	_ "time/tzdata" // quiet hours and event times need the zones, and the image that this runs in has none

	"kithline/app"
)

func main() {
	os.Exit(app.Main(os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}
