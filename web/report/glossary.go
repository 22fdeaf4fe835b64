package report

// glossary explains the words of a report that have a fixed meaning: one line
// each, at its end.
var glossary = []Fact{
	{"genuine", "the entries stand in the log, signed by keys that were on record for their authors"},
	{"verified", "it follows from what was signed, and was checked here"},
	{"attested", "it rests on the word of the log: its checks, its clock"},
	{"asserted", "it rests on somebody's mere word"},
	{"broken", "the proof of it fails"},
	{"requested", "asked for it"},
	{"interpreted", "said what the request meant"},
	{"decided", "chose to do it"},
	{"executed", "did it"},
	{"authorised", "approved it, or gave or passed on the permission for it"},
	{"enabled", "is the operator whose permissions were used"},
	{"should have prevented", "is the operator of somebody who had been revoked, which was to keep it from happening"},
	{"critical", "a proof fails, histories contradict each other, or something was done against a revocation or a refusal"},
	{"high", "a permission was overstepped or is not shown, or records are missing or disagree"},
	{"warn", "to be looked into; by itself it makes no action unauthorised"},
	{"info", "to be known, and no more"},
}
