package exports

import (
	"testing"

	"github.com/riverqueue/river"
)

// Worker is the job's worker, for tests that are the queue.
func Worker(s *Service) river.Worker[RunArgs] { return &worker{s: s} }

// ChunkSize sets how many people go together, until the test ends.
func ChunkSize(t *testing.T, n int) {
	was := chunkSize
	chunkSize = n
	t.Cleanup(func() { chunkSize = was })
}

// BeforeFinish calls fn when a file is written and its row is not, until the test ends.
func BeforeFinish(t *testing.T, fn func()) {
	beforeFinish = fn
	t.Cleanup(func() { beforeFinish = func() {} })
}
