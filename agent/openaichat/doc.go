// Package openaichat turns transcripts in the OpenAI chat format into records:
// what agents did before they recorded it themselves.
//
// # The format
//
// A file holds one JSON object a line, and each is one conversation:
//
//	{"user_id": "mia", "messages": [{"role": "user", "content": "…"}, …]}
//
// Of the object, messages and the optional user_id are read; other members are
// passed over. A message is one of
//
//	{"role": "system", "content": "…"}      (or "developer")
//	{"role": "user", "content": "…"}
//	{"role": "assistant", "content": "…" or null, "tool_calls": [
//	  {"id": "…", "type": "function", "function": {"name": "…", "arguments": "…"}}]}
//	{"role": "tool", "tool_call_id": "…", "content": "…"}
//
// and may have a name, which is passed over. Content may be a list of text parts, which are joined by
// line feeds. Whatever else has been said (a refusal, audio, images, calls of
// other types) is refused and not passed over, as the record would hide it. A
// result must follow its call before the next user or assistant message.
//
// # What becomes of it
//
// The transcript says who spoke, not what it meant. The rule looks at positions
// and never at words:
//
//   - a user message is an intent;
//   - text of the assistant is an interpretation if it is the first thing that
//     the assistant says or does after a user message, and no tool is called
//     along with it: it tells how the goal was understood;
//   - any other text of the assistant is a decision: what to do, or what to tell
//     the user after what it saw;
//   - a tool call is an action of type "tool" whose action is the function's
//     name; its arguments are committed to;
//   - a tool's result is the action's outcome: failed if the text begins with
//     "Error", else succeeded. A call without a result has an outcome too: nobody
//     knows how it ended;
//   - a system message, and a message without text and calls, makes no record.
//
// Every text is committed to, and its content stored off the log.
//
// # How it hangs together
//
// A conversation is an instance of its own and one chain. The first record is
// the root. A later user message hangs on the record before it. What the
// assistant says or does hangs on what asked for it: the text along with it, or
// else the last text of the assistant since the user's message, or else that
// message. An outcome hangs on its action, and is a cause of what the assistant
// does next. All records carry the conversation's session and, if there is a
// user_id, the user, as pseudonyms.
//
// The action's external request id is conversation, position and call id, such
// as airline/17/3/call_9a: the import's name, the line, the message's position
// from 0, and the call's own id, which may come again in other messages.
//
// # What it is worth
//
// The records say capture "import": their signer, whoever runs the import, has
// seen the transcript. Nothing shows that the transcript is complete or true,
// and their claimed time is that of the file.
package openaichat
