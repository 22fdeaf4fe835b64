package openaichat_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/onus-ledger/onus/agent/openaichat"
)

func read(s string) ([]*openaichat.Conversation, error) {
	r := openaichat.NewReader(strings.NewReader(s))
	var all []*openaichat.Conversation
	for {
		c, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, c)
	}
}

const small = `{"user_id":"mia","reward":0,"messages":[` +
	`{"role":"system","content":"policy"},` +
	`{"role":"user","content":"book a flight"},` +
	`{"role":"assistant","content":"from where?","refusal":null},` +
	`{"role":"user","content":[{"type":"text","text":"JFK"},{"type":"text","text":"to SEA"}]},` +
	`{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"search","arguments":"{}"}},{"id":"c2","type":"function","function":{"name":"weather","arguments":"{}"}}]},` +
	`{"role":"tool","tool_call_id":"c2","name":"weather","content":"Error: no weather"},` +
	`{"role":"tool","tool_call_id":"c1","content":"HAT1"},` +
	`{"role":"assistant","content":"I book HAT1","tool_calls":[{"id":"c1","type":"function","function":{"name":"book","arguments":"{\"id\":1}"}}]},` +
	`{"role":"assistant","content":"that took too long"},` +
	`{"role":"assistant","content":""},` +
	`{"role":"user","content":"bye"}]}`

func TestRead(t *testing.T) {
	got, err := read(small + "\n" + `{"messages":[{"role":"user","content":"x"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	want := []*openaichat.Conversation{{Line: 1, UserID: "mia", Messages: []openaichat.Message{
		{Role: "system", Text: "policy"},
		{Role: "user", Text: "book a flight"},
		{Role: "assistant", Text: "from where?"},
		{Role: "user", Text: "JFK\nto SEA"},
		{Role: "assistant", Calls: []openaichat.Call{{ID: "c1", Name: "search", Arguments: "{}"}, {ID: "c2", Name: "weather", Arguments: "{}"}}},
		{Role: "tool", Text: "Error: no weather", CallID: "c2"},
		{Role: "tool", Text: "HAT1", CallID: "c1"},
		{Role: "assistant", Text: "I book HAT1", Calls: []openaichat.Call{{ID: "c1", Name: "book", Arguments: `{"id":1}`}}},
		{Role: "assistant", Text: "that took too long"},
		{Role: "assistant"},
		{Role: "user", Text: "bye"},
	}}, {Line: 2, Messages: []openaichat.Message{{Role: "user", Text: "x"}}}}
	if d := cmp.Diff(want, got, cmpopts.IgnoreUnexported(openaichat.Conversation{})); d != "" {
		t.Error(d)
	}
}

func TestReadRefuses(t *testing.T) {
	call := func(s string) string {
		return `{"messages":[{"role":"assistant","tool_calls":[` + s + `]}]}`
	}
	const ok = `{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}`
	for _, c := range []struct{ line, want string }{
		{"", "line 1 is missing"},
		{"x", "line 1 is not JSON"},
		{"[]", "line 1 is not a JSON object"},
		{`{"messages":[]`, "line 1 is not JSON"},
		{`{"messages":[{"role":"user","content":"x"}]} {}`, "goes on after"},
		{`{"messages":[{"role":"user","content":"x"}],"messages":[]}`, `has the member "messages" twice`},
		{"{\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}", "is not UTF-8"},
		{`{}`, "line 1: messages is missing"},
		{`{"messages":null}`, "messages is missing"},
		{`{"messages":{}}`, "not a list"},
		{`{"messages":[]}`, "has 0 entries"},
		{`{"messages":[` + strings.Repeat(`{"role":"user","content":"x"},`, openaichat.MaxMessages) + `{"role":"user","content":"x"}]}`, "has 4097 entries"},
		{`{"messages":["x"]}`, "messages[0] is not a JSON object"},
		{`{"user_id":7,"messages":[{"role":"user","content":"x"}]}`, "user_id is not a string"},
		{`{"user_id":"` + strings.Repeat("x", 513) + `","messages":[{"role":"user","content":"x"}]}`, "user_id has more than 512"},
		{`{"messages":[{"content":"x"}]}`, "messages[0].role is missing"},
		{`{"messages":[{"role":"function","content":"x"}]}`, "messages[0].role is \"function\""},
		{`{"messages":[{"role":"user","content":"x","content":"y"}]}`, `messages[0] has the member "content" twice`},
		{`{"messages":[{"role":"user"}]}`, "messages[0].content is missing"},
		{`{"messages":[{"role":"user","content":null}]}`, "messages[0].content is missing"},
		{`{"messages":[{"role":"user","content":7}]}`, "neither a string nor a list"},
		{`{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]}`, "only text can be imported"},
		{`{"messages":[{"role":"user","content":"x","tool_calls":[1]}]}`, "would hide"},
		{`{"messages":[{"role":"assistant","content":null,"refusal":"no"}]}`, "would hide"},
		{`{"messages":[{"role":"assistant","function_call":{"name":"f"}}]}`, "would hide"},
		{`{"messages":[{"role":"assistant","tool_calls":{}}]}`, ""}, // empty: says nothing
		{`{"messages":[{"role":"assistant","tool_calls":{"a":1}}]}`, "not a list"},
		{call(`7`), "messages[0].tool_calls[0] is not a JSON object"},
		{call(`{"id":"c","function":{"name":"f"}}`), "tool_calls[0].type is missing"},
		{call(`{"id":"c","type":"custom","custom":{}}`), `type is "custom"`},
		{call(`{"id":"c","type":"function"}`), "tool_calls[0].function is missing"},
		{call(`{"type":"function","function":{"name":"f"}}`), "tool_calls[0].id is missing"},
		{call(`{"id":"a b","type":"function","function":{"name":"f"}}`), "tool_calls[0].id is empty, has"},
		{call(`{"id":"c","type":"function","function":{"name":"f g"}}`), "function.name has not"},
		{call(`{"id":"c","type":"function","function":{"name":"` + strings.Repeat("f", 65) + `"}}`), "function.name has not"},
		{call(`{"id":"c","type":"function","function":{"name":"f","arguments":{}}}`), "arguments is not a string"},
		{call(ok + "," + ok), "tool_calls[1].id is \"c\", as in another call"},
		{call(strings.Repeat(ok+",", 64) + ok), "has 65 entries"},
		{`{"messages":[{"role":"tool","content":"x"}]}`, "tool_call_id is missing"},
		{`{"messages":[{"role":"tool","tool_call_id":"c","content":"x"}]}`, `tool_call_id is "c", but no such call waits`},
		{`{"messages":[{"role":"assistant","tool_calls":[` + ok + `]},{"role":"tool","tool_call_id":"c","content":"x"},{"role":"tool","tool_call_id":"c","content":"x"}]}`, "messages[2].tool_call_id"},
		{`{"messages":[{"role":"assistant","tool_calls":[` + ok + `]},{"role":"user","content":"x"},{"role":"tool","tool_call_id":"c","content":"x"}]}`, "messages[2].tool_call_id"},
		{strings.Repeat("x", openaichat.MaxLine+2), "has more than"},
	} {
		_, err := read(c.line + "\n")
		if c.want == "" {
			if err != nil {
				t.Errorf("%.100s: %v", c.line, err)
			}
			continue
		}
		var e *openaichat.Error
		if !errors.As(err, &e) || e.Line != 1 || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.100s gives %v, want %s", c.line, err, c.want)
		}
	}
	// The line that is wrong is named.
	if _, err := read(small + "\n" + small + "\nx\n"); err == nil || !strings.HasPrefix(err.Error(), "line 3 ") {
		t.Errorf("an error in line 3 says %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(small)
	f.Add(`{"messages":[{"role":"user","content":"x"}]}`)
	f.Fuzz(func(t *testing.T, s string) {
		all, _ := read(s)
		for _, c := range all {
			// What was read makes steps whose links go back only.
			actions, outcomes := 0, 0
			for i, step := range c.Steps("n", openaichat.DefaultTools) {
				if step.After >= i || (step.After < 0) != (i == 0) {
					t.Fatalf("step %d hangs on %d", i, step.After)
				}
				for _, j := range step.Because {
					if j >= i {
						t.Fatalf("step %d has cause %d", i, j)
					}
				}
				if step.Action != nil {
					actions++
				}
				if step.Outcome != nil {
					outcomes++
				}
			}
			if actions != outcomes {
				t.Fatalf("%d actions have %d outcomes", actions, outcomes)
			}
		}
	})
}
