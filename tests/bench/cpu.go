package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of the kernel's processor times: it is a hundredth of a second on every Linux.
const tick = 10 * time.Millisecond

// processors is what the processes took of the machine: our own is the load, root and what it started is the server, and
// everything else that we started is the database. Where the kernel does not tell, all of it is zero.
type processors struct{ load, server, database time.Duration }

func processorTime(root int) (p processors) {
	type process struct {
		parent int
		took   time.Duration
	}
	all := map[int]process{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range files {
		// pid (name) state ppid ... and from the 14th field on: utime stime cutime cstime, of itself and of children that ended
		_, rest, ok := strings.Cut(read(f), ") ")
		v := strings.Fields(rest)
		if !ok || len(v) < 15 {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		parent, _ := strconv.Atoi(v[1])
		user, _ := strconv.ParseInt(v[11], 10, 64)
		system, _ := strconv.ParseInt(v[12], 10, 64)
		all[pid] = process{parent, time.Duration(user+system) * tick}
	}
	self := os.Getpid()
	for pid, x := range all {
		var to *time.Duration
		for at, n := pid, 0; at > 1 && n < 100 && to == nil; at, n = all[at].parent, n+1 {
			switch {
			case at == root:
				to = &p.server
			case at == self && pid == self:
				to = &p.load
			case at == self:
				to = &p.database
			}
		}
		if to != nil {
			*to += x.took
		}
	}
	return p
}

// since is what was taken from one reading to the next. A process that ended meanwhile takes its part with it.
func (p processors) since(before processors) processors {
	return processors{max(0, p.load-before.load), max(0, p.server-before.server), max(0, p.database-before.database)}
}

// words are the times of one answer, in microseconds.
func (p processors) words(answers int) string {
	if answers == 0 || p.server == 0 {
		return ""
	}
	us := func(d time.Duration) int { return int(d.Microseconds()) / answers }
	s := fmt.Sprintf("processor us each: server %d", us(p.server))
	if us(p.database) > 0 {
		s += fmt.Sprintf(", database %d", us(p.database))
	}
	return s + fmt.Sprintf(", load %d", us(p.load))
}
