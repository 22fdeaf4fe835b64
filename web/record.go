package web

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web/desk"
	"google.golang.org/protobuf/encoding/protojson"
)

func (s *site) recordRoutes() {
	s.page("GET /record/{id}", (*visit).record)
	s.page("GET /record/{id}/receipt.json", (*visit).recordReceipt)
	s.page("GET /record/{id}/payload", (*visit).recordPayload)
	s.page("GET /record/{id}/entry", (*visit).recordEntry)
	s.page("GET /records", (*visit).records)
}

// record shows one record: first what it says, then what shows that it is so.
func (v *visit) record() error {
	name := v.r.PathValue("id")
	if at, ok := strings.CutPrefix(name, "@"); ok {
		return v.recordAt(at)
	}
	e, err := v.entryOf(name)
	if err != nil {
		return err
	}
	if err := v.reading("record", e.Record.ID); err != nil {
		return err
	}
	page, err := v.recordPage(e)
	if err != nil {
		return err
	}
	return v.render("record", fmt.Sprintf("Entry %d, %s", e.Index, page.Kind), "", page)
}

// recordAt leads from an index to the record that stands there.
func (v *visit) recordAt(s string) error {
	const next = "An address by index looks like /record/@17."
	index, err := strconv.ParseInt(s, 10, 64)
	if err != nil || index < 0 || strconv.FormatInt(index, 10) != s {
		return badRequest(next, "That is no index of an entry: %s.", say(s))
	}
	if size := v.Log.Size(); index >= size {
		return notFound(next, "The log has %s; there is no entry %d.", count(int(size), "entry"), index)
	}
	e, err := v.Log.Entry(index)
	if err != nil {
		return err
	}
	return v.redirect("/record/" + e.Record.ID.String())
}

// parseID reads the id of a record out of an address.
func parseID(s string) (record.ID, error) {
	id, err := record.ParseID(s)
	if err != nil {
		return id, badRequest("An id is 64 characters of 0-9 and a-f, as pages show and copy it.", "That is no record’s id: %s.", say(s))
	}
	return id, nil
}

// entryOf returns the entry of an id as an address names it.
func (v *visit) entryOf(s string) (chain.Entry, error) {
	id, err := parseID(s)
	if err != nil {
		return chain.Entry{}, err
	}
	index, err := v.Log.Index(id)
	if err != nil {
		return chain.Entry{}, err
	}
	e, err := v.Log.Entry(index)
	if err == nil && e.Record == nil {
		err = fmt.Errorf("entry %d: %w", index, desk.ErrNotShown)
	}
	return e, err
}

// recordReceipt sends the record with its proof: what "onus receipt" prints.
func (v *visit) recordReceipt() error {
	e, err := v.entryOf(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := v.reading("receipt", e.Record.ID); err != nil {
		return err
	}
	proven, err := v.Log.Receipt(e.Index)
	if err != nil {
		return v.noProof(err)
	}
	b, err := protojson.MarshalOptions{Multiline: true}.Marshal(proven)
	if err != nil {
		return err
	}
	return v.attach("application/json", fmt.Sprintf("receipt-%d.json", e.Index), append(b, '\n'))
}

// noProof explains why there is no receipt where only a file is at hand.
func (v *visit) noProof(err error) error {
	if errors.Is(err, desk.ErrNotShown) {
		return &problem{http.StatusNotFound, "This file proves all its entries together, and has no proof of this one alone.",
			"Check the file as a whole, or ask for the receipt where the log runs."}
	}
	return err
}

// recordPayload sends the bytes that were signed.
func (v *visit) recordPayload() error {
	e, err := v.entryOf(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := v.reading("payload", e.Record.ID); err != nil {
		return err
	}
	if e.Opaque == chain.Withheld {
		return desk.ErrNotShown
	}
	name := fmt.Sprintf("record-%d.bin", e.Index)
	if e.Record.Envelope.Type == record.TypeJSON {
		name = fmt.Sprintf("record-%d.json", e.Index)
	}
	return v.attach("application/octet-stream", name, e.Record.Envelope.Payload)
}

// recordEntry sends the bytes of the leaf, whose hash stands in the tree.
func (v *visit) recordEntry() error {
	e, err := v.entryOf(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := v.reading("entry", e.Record.ID); err != nil {
		return err
	}
	raw, err := v.Log.Raw(e.Index)
	if err != nil {
		return err
	}
	return v.attach("application/octet-stream", fmt.Sprintf("entry-%d.bin", e.Index), raw)
}
