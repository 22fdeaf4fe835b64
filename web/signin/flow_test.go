package signin

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// silent is a network in which nobody answers.
type silent struct{ asked int }

func (s *silent) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked++
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// A provider that does not answer is asked once for all who want to sign in: they
// wait together and not one after the other, and get one error. Who gives up does
// not wait, and the next who comes asks again.
func TestSilentProviderIsAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, err := newFlow(&Provider{Issuer: "https://login.example.com", Client: "viewer"}, "https://onus.example.com", time.Now)
		if err != nil {
			t.Fatal(err)
		}
		network := &silent{}
		f.client.Transport = network
		began := time.Now()
		const people = 8
		got := make(chan error, people)
		for range people {
			go func() {
				_, err := f.ask(t.Context())
				got <- err
			}()
		}
		synctest.Wait()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := f.ask(gone); !errors.Is(err, context.Canceled) || time.Since(began) != 0 {
			t.Errorf("who gave up waited for %v: %v", time.Since(began), err)
		}
		for range people {
			if err := <-got; err == nil {
				t.Error("metadata came from nowhere")
			}
		}
		if waited := time.Since(began); waited != f.client.Timeout || network.asked != 1 {
			t.Errorf("%d people waited %v while the provider was asked %d times; want %v and once", people, waited, network.asked, f.client.Timeout)
		}
		if _, err := f.ask(t.Context()); err == nil || network.asked != 2 {
			t.Errorf("the next was told %v after %d questions, want a question of its own", err, network.asked)
		}
	})
}
