package app

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// version is set by the linker when a release is built: -ldflags "-X kithline/app.version=1.2.3".
var version = ""

// buildInfo says what is running.
type buildInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"` // of the source, empty where it was built without
	Time     string `json:"time,omitempty"`     // of that revision
	Modified bool   `json:"modified,omitempty"` // built from files that are not in the revision
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// build reads what the linker and the Go tool left in the binary.
func build() buildInfo {
	b := buildInfo{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b.named()
	}
	if b.Version == "" && info.Main.Version != "(devel)" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b.named()
}

// named gives a build without a version its name.
func (b buildInfo) named() buildInfo {
	if b.Version == "" {
		b.Version = "development"
	}
	return b
}

func (b buildInfo) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "kithline %s\n", b.Version)
	if b.Revision != "" {
		note := ""
		if b.Modified {
			note = ", with changes"
		}
		fmt.Fprintf(&s, "  revision %s (%s%s)\n", b.Revision, b.Time, note)
	}
	fmt.Fprintf(&s, "  %s, %s\n", b.Go, b.Platform)
	return s.String()
}

func (c *cli) versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Show which build this is",
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return c.json(build())
			}
			_, err := fmt.Fprint(c.out, build())
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
