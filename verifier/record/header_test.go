package record_test

import (
	"fmt"
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// The rules for what every record has.

func TestHeaderRefusals(t *testing.T) {
	testRefusals(t, decision, []refusal{
		{"no origin", "origin", func(m *onusv1.Record) { m.Origin = "" }},
		{"origin with a space", "origin", func(m *onusv1.Record) { m.Origin = "log example" }},
		{"origin with a plus sign", "origin", func(m *onusv1.Record) { m.Origin = "log+example" }},
		{"origin with a newline", "origin", func(m *onusv1.Record) { m.Origin = "log\nexample" }},
		{"origin beyond ASCII", "origin", func(m *onusv1.Record) { m.Origin = "lög.example" }},
		{"origin too long", "origin", func(m *onusv1.Record) { m.Origin = strings.Repeat("o", 256) }},
		{"no nonce", "nonce", func(m *onusv1.Record) { m.Nonce = nil }},
		{"nonce too short", "nonce", func(m *onusv1.Record) { m.Nonce = m.Nonce[:15] }},
		{"nonce too long", "nonce", func(m *onusv1.Record) { m.Nonce = append(m.Nonce, 0) }},
		{"no capture", "capture", func(m *onusv1.Record) { m.Capture = 0 }},
		{"unknown capture", "capture", func(m *onusv1.Record) { m.Capture = 5 }},
		{"negative capture", "capture", func(m *onusv1.Record) { m.Capture = -1 }},
		{"no claimed time", "claimed_time", func(m *onusv1.Record) { m.ClaimedTime = nil }},
		{"claimed before 1970", "claimed_time", func(m *onusv1.Record) { m.ClaimedTime = &timestamppb.Timestamp{Seconds: -1} }},
		{"claimed after 9999", "claimed_time", func(m *onusv1.Record) { m.ClaimedTime = &timestamppb.Timestamp{Seconds: 253402300800} }},
		{"claimed with a negative part", "claimed_time", func(m *onusv1.Record) { m.ClaimedTime.Nanos = -1 }},
		{"claimed with a whole second of nanos", "claimed_time", func(m *onusv1.Record) { m.ClaimedTime.Nanos = 1e9 }},
		{"unknown basis", "basis", func(m *onusv1.Record) { m.Basis = 3 }},
		{"negative basis", "basis", func(m *onusv1.Record) { m.Basis = -1 }},
		{"user is a name", "user", func(m *onusv1.Record) { m.User = "alice@example.com" }},
		{"user has a session's prefix", "user", func(m *onusv1.Record) { m.User = pseudonym("x-", 'a') }},
		{"user in upper case", "user", func(m *onusv1.Record) { m.User = pseudonym("u-", 'A') }},
		{"user with a digit of no base32", "user", func(m *onusv1.Record) { m.User = pseudonym("u-", '1') }},
		{"user too short", "user", func(m *onusv1.Record) { m.User = m.User[:27] }},
		{"user too long", "user", func(m *onusv1.Record) { m.User += "a" }},
		{"session has a user's prefix", "session", func(m *onusv1.Record) { m.Session = pseudonym("u-", 'a') }},
		{"grant is no id", "grant", func(m *onusv1.Record) { m.Grant = "grant-1" }},
	})
	testAccepted(t, decision, []acceptance{
		{"only what is required", func(m *onusv1.Record) {
			m.ParentAgent, m.Parent, m.Asks, m.Causes, m.User, m.Session, m.Grant = "", "", "", nil, "", "", ""
			m.Basis, m.Trace, m.Subjects = 0, nil, nil
		}},
		{"the first instant", func(m *onusv1.Record) { m.ClaimedTime = &timestamppb.Timestamp{} }},
		{"the last instant", func(m *onusv1.Record) {
			m.ClaimedTime = &timestamppb.Timestamp{Seconds: 253402300799, Nanos: 999999999}
		}},
		{"longest origin", func(m *onusv1.Record) { m.Origin = strings.Repeat("o", 255) }},
	})
	for c := range onusv1.Capture_name {
		if c != 0 {
			testAccepted(t, decision, []acceptance{{onusv1.Capture(c).String(), func(m *onusv1.Record) { m.Capture = onusv1.Capture(c) }}})
		}
	}
}

func TestAuthorRefusals(t *testing.T) {
	testRefusals(t, decision, []refusal{
		{"no author", "author", func(m *onusv1.Record) { m.Author = nil }},
		{"nobody", "author.agent", func(m *onusv1.Record) { m.Author = &onusv1.Author{KeyId: keyID} }},
		{"agent without instance", "author.instance", func(m *onusv1.Record) { m.Author.Instance = "" }},
		{"instance with a slash", "author.instance", func(m *onusv1.Record) { m.Author.Instance = "pod/7" }},
		{"instance too long", "author.instance", func(m *onusv1.Record) { m.Author.Instance = strings.Repeat("i", 65) }},
		{"instance is a dot", "author.instance", func(m *onusv1.Record) { m.Author.Instance = "." }},
		{"instance is two dots", "author.instance", func(m *onusv1.Record) { m.Author.Instance = ".." }},
		{"agent without operator", "author.operator", func(m *onusv1.Record) { m.Author.Operator = "" }},
		{"operator in upper case", "author.operator", func(m *onusv1.Record) { m.Author.Operator = "Acme" }},
		{"operator too long", "author.operator", func(m *onusv1.Record) { m.Author.Operator = strings.Repeat("o", 65) }},
		{"agent and administrator", "author", func(m *onusv1.Record) { m.Author.Administrator = "root" }},
		{"no key id", "author.key_id", func(m *onusv1.Record) { m.Author.KeyId = "" }},
		{"key id too short", "author.key_id", func(m *onusv1.Record) { m.Author.KeyId = keyID[:42] }},
		{"key id too long", "author.key_id", func(m *onusv1.Record) { m.Author.KeyId += "A" }},
		{"key id with padding", "author.key_id", func(m *onusv1.Record) { m.Author.KeyId = keyID[:42] + "=" }},
		{"key id in plain base64", "author.key_id", func(m *onusv1.Record) { m.Author.KeyId = keyID[:42] + "/" }},
	})
	for _, s := range []string{"/", "/it", "it/", "acme//it", ".", "..", "./it", "acme/..", "acme/./it", "../../etc"} {
		set := func(m *onusv1.Record) { m.Author.Operator = s }
		testRefusals(t, decision, []refusal{{"agent's operator " + s, "author.operator", set}})
		testRefusals(t, trigger, []refusal{{"operator " + s, "author.operator", set}})
	}
	testAccepted(t, decision, []acceptance{
		{"dots in names", func(m *onusv1.Record) { m.Author.Operator, m.Author.Instance = "acme.it/.../a..b", "..." }},
	})
	testRefusals(t, trigger, []refusal{
		{"instance of an operator", "author.instance", func(m *onusv1.Record) { m.Author.Instance = "pod-7" }},
		{"operator's name with a space", "author.operator", func(m *onusv1.Record) { m.Author.Operator = "a b" }},
	})
	testRefusals(t, operator, []refusal{
		{"administrator and operator", "author", func(m *onusv1.Record) { m.Author.Operator = "acme/it" }},
		{"administrator with an instance", "author.instance", func(m *onusv1.Record) { m.Author.Instance = "pod-7" }},
		{"administrator with a slash", "author.administrator", func(m *onusv1.Record) { m.Author.Administrator = "acme/root" }},
		{"administrator too long", "author.administrator", func(m *onusv1.Record) { m.Author.Administrator = strings.Repeat("a", 65) }},
	})
}

func TestLinkRefusals(t *testing.T) {
	var many []string
	for i := range 65 {
		many = append(many, idOf(fmt.Sprint(i)))
	}
	upper := strings.ToUpper(idOf("parent"))
	testRefusals(t, decision, []refusal{
		{"negative sequence", "sequence", func(m *onusv1.Record) { m.Sequence = -1 }},
		{"previous is no id", "previous", func(m *onusv1.Record) { m.Previous = "7" }},
		{"previous is missing", "previous", func(m *onusv1.Record) { m.Previous = "" }},
		{"parent is no id", "parent", func(m *onusv1.Record) { m.Parent = "parent" }},
		{"parent in upper case", "parent", func(m *onusv1.Record) { m.Parent = upper }},
		{"parent is all zeros", "parent", func(m *onusv1.Record) { m.Parent = strings.Repeat("0", 64) }},
		{"parent agent without parent", "parent_agent", func(m *onusv1.Record) { m.Parent = "" }},
		{"parent agent is no SPIFFE ID", "parent_agent", func(m *onusv1.Record) { m.ParentAgent = "front" }},
		{"asks no SPIFFE ID", "asks", func(m *onusv1.Record) { m.Asks = "clerk" }},
		{"too many causes", "causes", func(m *onusv1.Record) { m.Causes = many }},
		{"cause is empty", "causes[1]", func(m *onusv1.Record) { m.Causes[1] = "" }},
		{"cause is no id", "causes[1]", func(m *onusv1.Record) { m.Causes[1] = "because" }},
		{"cause stands there twice", "causes[2]", func(m *onusv1.Record) { m.Causes = append(m.Causes, m.Causes[0]) }},
		{"too many subjects", "subjects", func(m *onusv1.Record) {
			m.Subjects = nil
			for i := range 65 {
				const digits = "abcdefghijklmnopqrstuvwxyz234567"
				m.Subjects = append(m.Subjects, pseudonym("s-", 'a')[:26]+string(digits[i/32])+string(digits[i%32]))
			}
		}},
		{"subject is empty", "subjects[0]", func(m *onusv1.Record) { m.Subjects[0] = "" }},
		{"subject is a session", "subjects[0]", func(m *onusv1.Record) { m.Subjects[0] = pseudonym("x-", 'c') }},
		{"subject is a name", "subjects[1]", func(m *onusv1.Record) { m.Subjects[1] = "Mrs Smith" }},
		{"subject stands there twice", "subjects[1]", func(m *onusv1.Record) { m.Subjects[1] = m.Subjects[0] }},
	})
	testAccepted(t, decision, []acceptance{
		{"as many causes as allowed", func(m *onusv1.Record) { m.Causes = many[:64] }},
		{"the first record of an instance", func(m *onusv1.Record) { m.Sequence, m.Previous = 0, "" }},
		{"the first record of an instance that follows another", func(m *onusv1.Record) { m.Sequence = 0 }},
		{"parent without parent agent", func(m *onusv1.Record) { m.ParentAgent = "" }},
	})
	// Only agents count their records.
	testRefusals(t, trigger, []refusal{
		{"sequence of an operator", "sequence", func(m *onusv1.Record) { m.Sequence = 1 }},
		{"previous of an operator", "sequence", func(m *onusv1.Record) { m.Previous = idOf("previous") }},
	})
}

func TestTraceRefusals(t *testing.T) {
	traceparent := func(s string) func(*onusv1.Record) {
		return func(m *onusv1.Record) { m.Trace.Traceparent = s }
	}
	const f = "trace.traceparent"
	testRefusals(t, decision, []refusal{
		{"version 01", f, traceparent("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")},
		{"upper case", f, traceparent("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01")},
		{"trace id of zeros", f, traceparent("00-00000000000000000000000000000000-00f067aa0ba902b7-01")},
		{"parent id of zeros", f, traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01")},
		{"too short", f, traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0")},
		{"too long", f, traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-")},
		{"other separators", f, traceparent("00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01")},
		{"flags that are no digits", f, traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g")},
		{"A2A context too long", "trace.a2a_context_id", func(m *onusv1.Record) { m.Trace.A2AContextId = strings.Repeat("x", 257) }},
		{"A2A task with a newline", "trace.a2a_task_id", func(m *onusv1.Record) { m.Trace.A2ATaskId = "a\nb" }},
		{"MCP session with DEL", "trace.mcp_session_id", func(m *onusv1.Record) { m.Trace.McpSessionId = "a\x7f" }},
		{"MCP request with a C1 control", "trace.mcp_request_id", func(m *onusv1.Record) { m.Trace.McpRequestId = "a\u0085" }},
	})
	testAccepted(t, decision, []acceptance{
		{"an empty trace", func(m *onusv1.Record) { m.Trace = &onusv1.Trace{} }},
		{"not sampled", traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")},
		{"an id of 256 bytes", func(m *onusv1.Record) { m.Trace.McpRequestId = strings.Repeat("x", 256) }},
	})
}
