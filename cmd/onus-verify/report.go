package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/tree"
)

// report prints what was seen and returns the exit code.
func (v *logVerifier) report(problems []string) error {
	rep := v.audit.Report()
	for _, f := range rep.Faults {
		problems = append(problems, f.String())
	}
	if rep.StampsOff > 1 {
		problems = append(problems, fmt.Sprintf("%d entries after it are stamped otherwise too, as follows from a changed registry entry", rep.StampsOff-1))
	}
	if more := rep.FaultCount - int64(len(rep.Faults)); more > 0 {
		problems = append(problems, fmt.Sprintf("and %d more", more))
	}
	code := 0
	switch {
	case len(problems) > 0:
		code = exitBroken
	case !v.anchored:
		code = exitUnanchored
	case v.fails():
		code = exitFindings
	}
	if v.asJSON {
		if err := printJSON(v.out, map[string]any{
			"genuine": code == 0 || code == exitFindings, "judged": v.judgedJSON(), "anchored": v.anchored, "origin": v.key.Origin(), "log_key": v.key.String(),
			"entries": rep.Entries, "registry_entries": rep.RegistryEntries,
			"key_bindings": levels(rep.Bindings), "pinned_key_bindings": levels(rep.PinnedBindings), "unpinned": faultTexts(rep.Unpinned),
			"grants": rep.Grants, "revocations": rep.Revocations, "uses": rep.Uses, "user_tokens": userTokens(rep.UserTokens), "not_judged": rep.NotJudged,
			"compared_to": rep.ComparedTo, "size": v.checkpoint.Size, "root": v.checkpoint.Root.String(),
			"first_time": logTime(rep.FirstTime), "last_time": logTime(rep.LastTime), "problems": problems,
			"not_proven": notProven(rep), "matching": v.match.json(),
		}); err != nil {
			return err
		}
	} else {
		v.print(rep, problems, code)
		if len(problems) == 0 { // of another log than the signed one nothing is all
			v.match.print(v.out)
		}
	}
	if code != 0 {
		return exitError(code)
	}
	return nil
}

func (v *logVerifier) print(rep verifier.Report, problems []string, code int) {
	w := v.out
	switch code {
	case exitBroken:
		fmt.Fprintf(w, "BROKEN: log %s\n", v.key.Origin())
		for _, p := range problems {
			fmt.Fprintln(w, "  "+p)
		}
	case exitUnanchored:
		fmt.Fprintf(w, "NOT ANCHORED: log %s agrees with itself, under a key that it names itself\n", v.key.Origin())
		fmt.Fprintln(w, "  Give the verifier key that its operator published: --log-key FILE")
	default:
		fmt.Fprintf(w, "GENUINE: log %s\n", v.key.Origin())
	}
	took := time.Since(v.started)
	if v.checkpoint.Size == 0 {
		return // nothing was read
	}
	fmt.Fprintf(w, "  entries     %d, of which %d are registry entries, in %v (%.0f/s)\n", rep.Entries, rep.RegistryEntries,
		took.Round(time.Millisecond), float64(rep.Entries)/took.Seconds())
	printAuthority(w, rep)
	fmt.Fprintf(w, "  checkpoint  size %d, root %s\n", v.checkpoint.Size, v.checkpoint.Root)
	if rep.Entries > 0 {
		fmt.Fprintf(w, "  log time    %s to %s (the host's word)\n", logTime(rep.FirstTime), logTime(rep.LastTime))
	}
	if p := v.predecessor(); p != nil {
		fmt.Fprintf(w, "  successor   of log %s, last known at size %d, root %s: verify it with the key %s\n", p.key.Origin(), p.last.Size, p.last.Root, p.key)
	}
	if code == 0 || code == exitFindings {
		fmt.Fprintln(w, "  Checked for every entry: layout, record, id, signature, key binding, stamps, order of time; and the root over all.")
	}
	v.printJudged()
	fmt.Fprintf(w, "Not proven: %s.\n", strings.Join(notProven(rep), "; "))
}

// predecessor is the log that this one succeeds, as its genesis has it.
type predecessor struct {
	key  tree.LogKey
	last tree.Checkpoint
}

// predecessor returns nil if there is none, or if the genesis was not read.
func (v *logVerifier) predecessor() *predecessor {
	said := v.audit.Registry().Genesis().GetPredecessor()
	if said == nil {
		return nil
	}
	key, err := tree.ParseLogKey(said.GetLogKey())
	if err != nil {
		return nil // the rules of a genesis refuse it, and the audit has said so
	}
	last, err := key.Open(said.GetCheckpoint())
	if err != nil {
		return nil
	}
	return &predecessor{key, last}
}

func notProven(rep verifier.Report) []string {
	out := []string{
		"that what records say is true",
		"what was never submitted",
		"that no other history was shown to somebody else",
	}
	if rep.UserTokens[1]+rep.UserTokens[2] > 0 {
		out = append(out, fmt.Sprintf("what the users' tokens of %d records said: they stay off the log, and the ledger says that it checked them (onus-verify receipt checks one that is disclosed)", rep.UserTokens[1]+rep.UserTokens[2]))
	}
	if rep.UserKeys > 0 {
		out = append(out, fmt.Sprintf("that %s of users' devices are those users': the tokens that show it stay off the log, and the ledger says that it checked them", count(rep.UserKeys, "key")))
	}
	if n := rep.Bindings[1] + rep.Bindings[2] - rep.PinnedBindings[1] - rep.PinnedBindings[2] - rep.UserKeys; n > 0 {
		out = append(out, fmt.Sprintf("that the credentials by which %s enrolled are of the real issuers: their key sets and trust bundles are the host's word, until you pin them (--issuer-keys, --trust-bundle)", count(n, "key")))
	}
	if rep.NotJudged > 0 {
		out = append(out, fmt.Sprintf("%d entries of a newer version, of which the hash was checked, and not what they say", rep.NotJudged))
	}
	if rep.ComparedTo < rep.Entries {
		out = append(out, fmt.Sprintf("that no record after entry %d stands there twice", rep.ComparedTo-1))
	}
	return out
}

// printAuthority says what was derived again of who might do what.
func printAuthority(w io.Writer, rep verifier.Report) {
	fmt.Fprintf(w, "  keys        %s\n", describeBindings(rep))
	fmt.Fprintf(w, "  authority   %s, %s, %s of total limits, each derived again\n", count(rep.Grants, "grant"), count(rep.Revocations, "revocation"), count(rep.Uses, "use"))
	if n := rep.UserTokens; n[0]+n[1]+n[2] > 0 {
		fmt.Fprintf(w, "  users       %s: %d not checked by the ledger, %d checked, %d that hold the authority claimed\n", count(n[0]+n[1]+n[2], "token"), n[0], n[1], n[2])
	}
	for _, f := range rep.Unpinned {
		fmt.Fprintf(w, "  NOT PINNED  %s\n", f)
	}
}

// describeBindings counts keys by how well it was established whose they are.
func describeBindings(rep verifier.Report) string {
	b, p := rep.Bindings, rep.PinnedBindings
	s := fmt.Sprintf("%d bound: %d on the word of who registered them (K0)", b[0]+b[1]+b[2], b[0])
	for level, what := range []string{1: "by a token", 2: "by an SVID"} {
		if level == 0 || b[level] == 0 {
			continue
		}
		s += fmt.Sprintf(", %d %s (K%d; %d checked against what you pinned)", b[level], what, level, p[level])
	}
	return s
}

func levels(n [3]int64) map[string]int64 {
	return map[string]int64{"K0": n[0], "K1": n[1], "K2": n[2]}
}

func userTokens(n [3]int64) map[string]int64 {
	return map[string]int64{"asserted": n[0], "checked": n[1], "authority_checked": n[2]}
}

func faultTexts(fs []verifier.Fault) []string {
	out := []string{}
	for _, f := range fs {
		out = append(out, f.String())
	}
	return out
}

// count says how many of what there are.
func count(n int64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
