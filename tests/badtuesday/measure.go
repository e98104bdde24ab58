package main

import (
	"slices"
	"time"

	"kithline/models"
)

// slot is a place that was let go.
type slot struct {
	shift int
	free  time.Time
}

// measure says, at the end of the day, what the places let go came to. What could be done and what was done are counted alike: as a maximum
// matching of the places with those who stood by, everybody taking one at most, along the same pairs; what was done of them alone.
func (d *day) measure() error {
	var held []models.Assignment
	if err := d.db.Where("as_what = 'place' AND state = 'confirmed'").Find(&held).Error; err != nil {
		return err
	}
	took := map[[2]int]bool{} // person and shift, where they did not hold it from the start
	for _, a := range held {
		person, sh := d.who[a.MailboxID], d.at[a.ShiftID]
		if !slices.Contains(d.people[person].holds, sh) {
			took[[2]int{person, sh}] = true
		}
	}
	var slots []slot
	for i, sh := range d.shifts {
		by, standby := 0, 0
		for person, p := range d.people {
			if took[[2]int{person, i}] {
				if by++; slices.Contains(p.standsBy, i) {
					standby++
				}
			}
		}
		d.res.filled, d.res.byStandby = d.res.filled+min(by, len(sh.free)), d.res.byStandby+min(standby, len(sh.free))
		one := 0 // of them with somebody who would, wherever else they are needed
		for _, free := range sh.free {
			s := slot{i, free}
			slots = append(slots, s)
			if slices.ContainsFunc(d.standbys(), func(who int) bool { return d.could(who, s) }) {
				one++
			}
		}
		d.res.anybody += one
		d.res.anybodyFilled += min(one, by)
	}
	d.res.released = len(slots)
	d.res.possible = d.match(slots, d.could)
	d.res.done = d.match(slots, func(who int, s slot) bool { return took[[2]int{who, s.shift}] && d.could(who, s) })
	return nil
}

// standbys are those who may stand by.
func (d *day) standbys() []int {
	out := make([]int, people+atHome)
	for i := range out {
		out[i] = i
	}
	return out
}

// could reports whether a place let go could go, without a call, to somebody: they stand by for it and are there that day, it fits what they
// hold and plan, and they say yes before it begins, asked by mail as soon as it is free and they may be. That the mail server is away
// counts for nothing here.
func (d *day) could(who int, s slot) bool {
	p := d.people[who]
	if p.byPhone || !p.out.IsZero() || !slices.Contains(p.standsBy, s.shift) || !d.fits(who, s.shift, p.holds) {
		return false
	}
	yes, _, after := d.willing(who, s.shift)
	begins, at := *d.shifts[s.shift].StartsAt, s.free
	for !d.mayAsk(who, at) {
		if at = at.Add(time.Minute); !at.Before(begins) {
			return false
		}
	}
	return yes && at.Add(after).Before(begins)
}

// match is how many of some places can be given to those who stand by, everybody taking one at most: a maximum matching.
func (d *day) match(slots []slot, may func(who int, s slot) bool) int {
	has := map[int]int{} // who, and the place
	var try func(at int, seen map[int]bool) bool
	try = func(at int, seen map[int]bool) bool {
		for who := range people + atHome {
			if seen[who] || !may(who, slots[at]) {
				continue
			}
			seen[who] = true
			if other, taken := has[who]; !taken || try(other, seen) {
				has[who] = at
				return true
			}
		}
		return false
	}
	n := 0
	for at := range slots {
		if try(at, map[int]bool{}) {
			n++
		}
	}
	return n
}
