package openaichat

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onus-ledger/onus/agent"
)

// Step is one record to be made of a conversation. Records that it hangs on are
// named by their place in the list of steps, as their ids are not known yet.
type Step struct {
	agent.Step
	// After is the step that asked for this one; -1 at the root.
	After int
	// Because are the steps that are its causes.
	Because []int
}

// DefaultTools is the location of tools whose location is not known.
const DefaultTools = "urn:tool:"

// Steps returns the records to be made of the conversation, as the package
// documentation says. Name is the conversation's; tools is the prefix of the
// tools' locations, which the function's name completes.
func (c *Conversation) Steps(name, tools string) []Step {
	m := mapping{name: name, tools: tools, asker: -1}
	for i, msg := range c.Messages {
		switch msg.Role {
		case "user":
			m.user(msg.Text)
		case "assistant":
			m.assistant(i, msg)
		case "tool":
			m.result(msg)
		}
	}
	m.giveUp()
	return m.steps
}

// mapping is the state between two messages.
type mapping struct {
	name, tools string
	steps       []Step
	// asker is the step that asks for what the assistant does next: the user's
	// message, or the assistant's last text after it; -1 at the beginning.
	asker int
	// fresh: the assistant has said and done nothing since the user's message.
	fresh bool
	// waiting are the actions without an outcome, in order.
	waiting []waiting
	// read are the outcomes since the assistant's last message.
	read []int
}

type waiting struct {
	call string
	step int
}

func (m *mapping) add(s agent.Step, after int, because []int) int {
	m.steps = append(m.steps, Step{Step: s, After: after, Because: because})
	return len(m.steps) - 1
}

func (m *mapping) user(text string) {
	m.giveUp()
	if text == "" {
		return
	}
	m.asker = m.add(agent.Step{Intent: &agent.Intent{Text: text}}, len(m.steps)-1, nil)
	m.fresh, m.read = true, nil
}

func (m *mapping) assistant(position int, msg Message) {
	m.giveUp()
	because := m.read
	if msg.Text != "" {
		s := agent.Step{Decision: &agent.Decision{Text: msg.Text}}
		if m.fresh && len(msg.Calls) == 0 {
			s = agent.Step{Interpretation: &agent.Interpretation{Text: msg.Text}}
		}
		m.asker = m.add(s, m.asker, because)
		because = nil // the calls follow from the text
	}
	for _, call := range msg.Calls {
		i := m.add(agent.Step{Action: &agent.Action{
			Element:   agent.Element{Type: "tool", Action: call.Name, Location: m.tools + call.Name},
			Arguments: call.Arguments,
			RequestID: fmt.Sprintf("%s/%d/%s", m.name, position, call.ID),
		}}, m.asker, because)
		m.waiting = append(m.waiting, waiting{call.ID, i})
	}
	if msg.Text != "" || len(msg.Calls) > 0 {
		m.fresh, m.read = false, nil
	}
}

func (m *mapping) result(msg Message) {
	at := slices.IndexFunc(m.waiting, func(w waiting) bool { return w.call == msg.CallID })
	if at < 0 {
		return // a Reader lets no such message pass
	}
	status := agent.Succeeded
	if strings.HasPrefix(msg.Text, "Error") {
		status = agent.Failed
	}
	m.outcome(m.waiting[at].step, agent.Outcome{Status: status, Result: msg.Text})
	m.waiting = slices.Delete(m.waiting, at, at+1)
}

// giveUp ends the actions for which no result came.
func (m *mapping) giveUp() {
	for _, w := range m.waiting {
		m.outcome(w.step, agent.Outcome{Status: agent.Unknown})
	}
	m.waiting = nil
}

func (m *mapping) outcome(action int, o agent.Outcome) {
	o.RequestID = m.steps[action].Action.RequestID
	m.read = append(m.read, m.add(agent.Step{Outcome: &o}, action, nil))
}
