package report

// Exit is an exit code of onus-verify, and what it means.
type Exit struct {
	Code  int
	Means string
}

// Exits are the exit codes of onus-verify.
var Exits = []Exit{
	{0, "Genuine, and nothing was found at or above the severity that you asked for: high, unless you say otherwise."},
	{1, "Genuine, and it shows what was not allowed, or an action that cannot be told or judged."},
	{2, "Nothing was judged: a file is not there, or the command is wrong."},
	{3, "The log signed two histories. The proof is written to a file."},
	{4, "The evidence is broken. It says which entry, and what of it."},
	{5, "You gave no log key: at best the evidence agrees with itself."},
}
