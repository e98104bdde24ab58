package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
)

// The promises about legislators: all who sit in the legislatures of the United States.
const (
	legislatorFiles  = 7989
	legislatorLimit  = 10 * time.Second
	legislatorMemory = 300 << 20
)

// legislators measures an import of as many people as sit in all legislatures of the United States, and the same again. KITHLINE_BENCH_PEOPLE
// names a folder of openstates/people; without it, a tree of the same size is made.
func (b *bench) legislators(ctx context.Context) error {
	tree, made := os.Getenv("KITHLINE_BENCH_PEOPLE"), "openstates/people"
	if tree == "" {
		tree, made = filepath.Join(b.dir, "people"), "a made tree"
		if err := writePeople(tree, legislatorFiles); err != nil {
			return err
		}
	}
	data := filepath.Join(b.dir, "legislators")
	env := append(os.Environ(), "KITHLINE_DATA_DIR="+filepath.Join(data, "data"), "KITHLINE_KEY_FILE="+filepath.Join(data, "key", "kithline.key"), "KITHLINE_DATABASE_URL=")
	for _, what := range []string{"import", "the same again"} {
		cmd := exec.CommandContext(ctx, b.bin, "legislators", "import", "openstates", tree, "--json")
		cmd.Env = env
		var said strings.Builder
		cmd.Stderr = &said
		began := time.Now()
		out, err := cmd.Output()
		took := time.Since(began)
		if err != nil {
			return fmt.Errorf("%w: %s", err, said.String())
		}
		var r struct {
			People  int
			Changes []json.RawMessage
		}
		if err := json.Unmarshal(out, &r); err != nil {
			return err
		}
		if empty := what != "import"; empty != (len(r.Changes) == 0) || r.People < legislatorFiles*99/100 {
			return fmt.Errorf("%s: %d people, %d changes", what, r.People, len(r.Changes))
		}
		peak := 0
		if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			peak = int(u.Maxrss) << 10
		}
		b.out.add(line{
			what: fmt.Sprintf("legislators, %s, %s people, SQLite", what, number(r.People)), figure: fmt.Sprintf("%.1f s", took.Seconds()),
			beside: fmt.Sprintf("%s; %d MiB; %s", made, peak>>20, b.out.promise(took < legislatorLimit && peak < legislatorMemory, "at most 10 s and 300 MiB")),
		})
	}
	return nil
}

// writePeople makes a tree as that of openstates/people, of invented people.
func writePeople(root string, n int) error {
	states := []string{"al", "ca", "ga", "il", "ks", "ma", "mn", "nc", "nh", "ny", "oh", "pa", "tx", "vt", "wa", "wy"}
	links := strings.Repeat("- url: https://statehouse.example.org/members/biography\n", 8)
	for i := range n {
		state := states[i%len(states)]
		dir := filepath.Join(root, "data", state, "legislature")
		id := uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "person %d", i))
		p := clearRow(i)
		text := fmt.Sprintf("id: ocd-person/%s\nname: %s %s\ngiven_name: %s\nfamily_name: %s\ngender: Female\nemail: member%d@statehouse.example.org\nparty:\n- name: Harbor\nroles:\n"+
			"- start_date: 2025-01-03\n  type: %s\n  jurisdiction: ocd-jurisdiction/country:us/state:%s/government\n  district: '%d'\noffices:\n- classification: capitol\n"+
			"  address: Room %d, 1 Statehouse Green, Harrow Bay, WN 00001\n  voice: 555-0100\n- classification: district\n  address: %d Quay Street, Portsend, WN 00002\n  voice: 555-0101\nlinks:\n%ssources:\n%s",
			id, p.given, p.family, p.given, p.family, i, []string{"lower", "upper"}[i%2], state, i/len(states)+1, i, i, links, links)
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, id.String()+".yml"), []byte(text), 0o600)); err != nil {
			return err
		}
	}
	return nil
}
