package web

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web/desk"
	"github.com/onus-ledger/onus/web/report"
)

// maxCSV is the most rows of a file.
const maxCSV = 10_000

// csvColumns are those of the file, in order.
var csvColumns = []string{"chain", "first_record_utc", "newest_record_utc", "outcome", "what", "answers_first", "agents", "operators", "user", "user_name",
	"records", "actions", "amounts", "findings", "gravest_finding", "review"}

// findCSV is the result of a search as a file: all of its pages.
func (v *visit) findCSV() error {
	if err := v.reading("find.csv", record.ID{}); err != nil {
		return err
	}
	in, _ := withoutEmpty(v.r.URL.Query())
	a, err := parseAsked(in)
	var q desk.Query
	if err == nil {
		q, err = v.question(a)
	}
	if err != nil {
		return badRequest("Mend the search, and fetch the file again.", "%s.", sentence(err.Error()))
	}
	if v.Desk == nil {
		return fmt.Errorf("find: no desk")
	}
	if err := v.costly(); err != nil {
		return err
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Write(csvColumns) // to memory: the error comes with Flush
	rows, total := 0, 0
	for cursor := ""; rows < maxCSV; {
		found, err := v.Desk.Find(q, min(desk.MaxPage, maxCSV-rows), cursor)
		if err != nil {
			return err
		}
		total = found.Total
		for _, c := range found.Cases {
			w.Write(cells(v.csvRow(c)))
			rows++
		}
		if cursor = found.Next; cursor == "" || len(found.Cases) == 0 {
			break
		}
	}
	if rows < total {
		w.Write([]string{fmt.Sprintf("CUT: these are %d of %d chains; narrow the search to get the others", rows, total)})
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return err
	}
	return v.attach("text/csv; charset=utf-8; header=present", "onus-chains.csv", b.Bytes())
}

func (v *visit) csvRow(c *desk.Case) []string {
	var agents, units, sums, findings []string
	for _, id := range c.Agents {
		agents = append(agents, v.agentName(id))
	}
	for _, id := range c.Operators {
		units = append(units, v.unitName(id))
	}
	for _, s := range c.Amounts {
		sums = append(sums, s.Sum+" "+s.Unit)
	}
	grave := chain.Severity("")
	for i, f := range c.Findings {
		if i == 0 {
			grave = f.Severity
		}
		findings = append(findings, f.Code)
	}
	return []string{c.Root.String(), csvTime(c.First), csvTime(c.Last), outcomeWord(c.Outcome), c.Title, c.Answers, strings.Join(agents, "; "), strings.Join(units, "; "),
		c.User, v.realName(c.User), strconv.Itoa(c.Records), strconv.Itoa(c.Actions), strings.Join(sums, "; "), strings.Join(findings, "; "), string(grave), reviewWord(c)}
}

func csvTime(ms int64) string { return clock(ms).Format("2006-01-02T15:04:05.000Z") }

// cells makes foreign text harmless in a table: nothing that steers text, and
// nothing that a spreadsheet takes for a formula. OWASP, "CSV Injection". Where
// the decimal sign is a comma, spreadsheets take a semicolon for the end of a
// cell, whatever quotes are around it: what stands behind one is held to the
// same.
func cells(row []string) []string {
	for i, s := range row {
		parts := strings.Split(report.Clean(s), ";")
		for j, part := range parts {
			if t := strings.TrimLeft(part, ` "'`); t != "" && strings.ContainsRune(formulas, firstRune(t)) {
				space := len(part) - len(strings.TrimLeft(part, " "))
				if j == 0 {
					space = 0
				}
				parts[j] = part[:space] + "'" + part[space:]
			}
		}
		row[i] = strings.Join(parts, ";")
	}
	return row
}

// formulas are the signs with which a formula or a command begins, those of
// wide letters too.
const formulas = "=+-@|%＝＋－＠"

func firstRune(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}
