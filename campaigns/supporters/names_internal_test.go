package supporters

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
)

func TestFold(t *testing.T) {
	for in, want := range map[string]string{
		"June Okafor": "june okafor", "  José  Núñez ": "jose nunez", "O’Brien": "obrien", "O'Brien": "obrien", "Jean-Luc": "jean luc", "Øyvind Strauß": "oyvind strauss",
		"Łukasz": "lukasz", "Đặng": "dang", "J. R.": "j r", "İpek Işık": "ipek isik", "Анна Фёдорова": "анна федорова", "-": "", "": "", "李小龍": "李小龍", "Nguyễn\tThị": "nguyen thi",
	} {
		if got := fold(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestTheBufferFindsWhatALoopFinds: people come, are renamed, change chapter and go, in any order, and the buffer is made anew
// in between; it always answers as a plain look at every name does.
func TestTheBufferFindsWhatALoopFinds(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 11))
	syllables := []string{"an", "na", "jo", "se", "ka", "ri", "o", "be", "n", "ño", "ü", "mar"}
	name := func() string {
		var b strings.Builder
		for range 1 + r.IntN(3) {
			for range 1 + r.IntN(3) {
				b.WriteString(syllables[r.IntN(len(syllables))])
			}
			b.WriteByte(' ')
		}
		if r.IntN(20) == 0 {
			return ""
		}
		return fold(b.String())
	}
	chapters := []uuid.UUID{{1}, {2}, {3}}
	n := newNames()
	truth := map[uuid.UUID]entry{}
	newID := func() uuid.UUID {
		var id uuid.UUID
		for i := range id {
			id[i] = byte(r.IntN(256))
		}
		return id
	}
	chapterOf := func() uint16 {
		i := r.IntN(len(chapters) + 1)
		if i == 0 {
			return 0
		}
		return n.chapterOf(uuid.NullUUID{UUID: chapters[i-1], Valid: true})
	}
	ids := []uuid.UUID{}
	for round := range 60 {
		for range 100 {
			switch k := r.IntN(10); {
			case k < 5 || len(ids) == 0:
				id := newID()
				ids = append(ids, id)
				truth[id] = entry{name(), chapterOf()}
				n.put(id, truth[id])
			case k < 8:
				id := ids[r.IntN(len(ids))]
				truth[id] = entry{name(), chapterOf()}
				n.put(id, truth[id])
			default:
				i := r.IntN(len(ids))
				id := ids[i]
				ids = slices.Delete(ids, i, i+1)
				delete(truth, id)
				if j, ok := n.base.find(id); ok {
					n.base.wipe(j)
				}
				delete(n.recent, id)
			}
		}
		if round%3 == 0 { // as compact does, at once
			for len(n.recent)+n.base.gone < 20_000+len(n.base.ids)/8 {
				n.recent[newID()] = entry{}
			}
			if err := n.compact(); err != nil {
				t.Fatal(err)
			}
			for i, id := range n.base.ids {
				if _, ok := truth[id]; !ok {
					n.base.wipe(i)
				}
			}
		}
		if n.people() != len(truth) {
			t.Fatalf("round %d: %d people of %d", round, n.people(), len(truth))
		}
		for range 10 {
			words := wordsOf(name() + " " + name())
			words = words[:min(len(words), 1+r.IntN(2))]
			if len(words) == 0 {
				continue
			}
			var only *uuid.UUID
			if r.IntN(2) == 0 {
				only = &chapters[r.IntN(3)]
			}
			var want []uuid.UUID
			first := map[uuid.UUID]bool{}
			for id, e := range truth {
				if only != nil && (e.chapter == 0 || n.chapters[e.chapter-1] != *only) {
					continue
				}
				all, begin := true, true
				for _, w := range words {
					all = all && strings.Contains(e.text, w)
					begin = begin && strings.Contains(" "+e.text, " "+w)
				}
				if all {
					want, first[id] = append(want, id), begin
				}
			}
			slices.SortFunc(want, func(a, b uuid.UUID) int {
				if first[a] != first[b] {
					return map[bool]int{true: -1, false: 1}[first[a]]
				}
				return bytes.Compare(b[:], a[:])
			})
			most := 1 + r.IntN(30)
			got := n.match(words, only, most)
			if !slices.Equal(got, want[:min(len(want), most)]) {
				t.Fatalf("round %d: %q for %v gives %d, want %d of %d", round, words, only, len(got), min(len(want), most), len(want))
			}
		}
	}
	if len(n.base.ids) == 0 {
		t.Fatal("nothing was ever packed")
	}
}

func TestWhoIsGoneLeavesTheMemory(t *testing.T) {
	n := newNames()
	for i := range 10 {
		n.base.add(uuid.UUID{byte(i)}, entry{text: fmt.Sprintf("person number%d", i)})
	}
	n.base.wipe(3)
	n.base.wipe(3)
	if bytes.Contains(n.base.text, []byte("number3")) || n.base.gone != 1 || len(n.match([]string{"person"}, nil, 100)) != 9 || len(n.match([]string{"number4"}, nil, 9)) != 1 {
		t.Errorf("%q, %d gone", n.base.text, n.base.gone)
	}
}
