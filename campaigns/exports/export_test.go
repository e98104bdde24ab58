package exports

import (
	"slices"

	"github.com/riverqueue/river"

	"kithline/models/tables"
)

// Worker is the job's worker, for tests that are the queue.
func Worker(s *Service) river.Worker[RunArgs] { return &worker{s: s} }

// ChunkSize sets how many people go together.
func ChunkSize(s *Service, n int) { s.chunk = n }

// BeforeFinish calls fn when a file is written and its row is not.
func BeforeFinish(s *Service, fn func()) { s.beforeFinish = fn }

// Way says what is wrong with how a column gets into the files; "" is nothing.
func Way(table string, c tables.Column) string {
	full := table + "." + c.Name
	ways := 0
	if _, out := LeftOutColumns[full]; out {
		ways++
	}
	if sealedBy[full] != nil {
		ways++
	}
	if slices.Contains(rests, full) {
		ways++
	}
	switch {
	case c.Kind == "":
		return full + " has a type that no file has a form for"
	case c.Kind == tables.Bytes && ways == 0:
		return full + " holds bytes: say in shape.go whether they are opened, left out or carried as they are"
	case ways > 1:
		return full + " stands twice in shape.go"
	}
	return ""
}

// Carries reports whether a sealed column is opened.
func Carries(full string) bool { return sealedBy[full] != nil }

// Out is what a column is called in the files, and how its values are written.
func Out(table string, c tables.Column) (string, tables.Kind) {
	return outName(c.Name), outKind(table, c)
}
