package registry_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// Many may read while one writes, and what was true at an index stays true.
// The race detector does half of this test's work.
func TestConcurrentReaders(t *testing.T) {
	l := smallLog(t)
	const rounds = 60
	r := action(t, agent(planner, "i-1", acme), "planner")
	rotation := rotate(t, agent(planner, "i-1", acme), "planner", "next", plannerKey("i-1"))
	countAt4, rootAt4 := l.reg.Stamp(4)

	var durable atomic.Int64 // entries below it are there for all
	durable.Store(l.size)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				at := durable.Load()
				if c, root := l.reg.Stamp(4); c != countAt4 || root != rootAt4 {
					t.Errorf("stamp at 4 changed to %d, %v", c, root)
					return
				}
				if c, _ := l.reg.Stamp(at); c != at { // every entry here is a registry entry
					t.Errorf("stamp at %d has count %d", at, c)
					return
				}
				if _, err := l.reg.Authenticate(r, at); err != nil {
					t.Errorf("at %d: %v", at, err)
					return
				}
				// Two registrations a round: an agent class and its key.
				if got, want := int64(len(l.reg.Agents(at))), 1+(at-4+1)/2; got != want {
					t.Errorf("at %d: %d agents, want %d", at, got, want)
					return
				}
				for _, id := range l.reg.Agents(at) {
					if a, since := l.reg.Agent(id, at); a == nil || since >= at {
						t.Errorf("agent %s at %d is of %d", id, at, since)
					}
					for _, b := range l.reg.Keys(id, at) {
						if b.Index >= at || b.Agent != id {
							t.Errorf("key %+v at %d", b, at)
						}
					}
				}
				if got := len(l.reg.Registrations(at)); int64(got) != 2+(at-4+1)/2 {
					t.Errorf("at %d: %d registrations", at, got)
					return
				}
				if err := l.reg.Check(rotation, at, asserted()); err != nil {
					t.Errorf("at %d: %v", at, err)
					return
				}
				l.reg.Revocations(r.Msg.GetAuthor(), at)
				l.reg.Ended(r.Msg.GetAuthor().GetKeyId(), at, now.UnixMilli())
				l.reg.Operator(acme, at)
				l.reg.Genesis()
				l.reg.LogKey()
			}
		})
	}
	for i := range rounds {
		id := fmt.Sprintf("spiffe://example.com/agent-%d", i)
		l.add(newAgent(t, id, acme, ""))
		durable.Store(l.size)
		l.add(newKey(t, id, id, "", acme))
		durable.Store(l.size)
	}
	close(done)
	readers.Wait()
	l.checkStamps()
}

// A list that was handed out stays as it was.
func TestHandedOutListsAreStable(t *testing.T) {
	l := smallLog(t)
	keys, agents := l.reg.Keys(planner, l.size), l.reg.Agents(l.size)
	first := keys[0]
	_ = append(keys, nil)
	l.add(newKey(t, "planner 2", planner, "", acme))
	l.add(newAgent(t, clerk, acme, ""))
	if len(keys) != 1 || keys[0] != first || len(agents) != 1 {
		t.Errorf("lists changed to %v, %v", keys, agents)
	}
	for _, b := range l.reg.Keys(planner, l.size) {
		if b == nil {
			t.Error("a caller's append reached the registry")
		}
	}
}
