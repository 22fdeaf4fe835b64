package web

import (
	"errors"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web/desk"
	"github.com/onus-ledger/onus/web/report"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// recordPage is what the template "record" shows.
type recordPage struct {
	ID    record.ID
	Index int64
	// HasNext: there is an entry after it.
	HasNext bool
	// Kind is what it is, What what it is about: operations and names alone,
	// never the words in it.
	Kind, What string
	Author     partyName
	// OnBehalf is the user; Kind is empty if there is none.
	OnBehalf partyName
	Times    recordTimes
	// Capture says how it came to be, unless its author recorded its own doing.
	Capture string
	// Opaque says why it cannot be read here.
	Opaque    string
	Groups    []fieldGroup
	Stamp     []recordField
	Signature signatureCheck
	Proof     *proofPanel
	About     recordMatter
	Raw       *rawPanel
	// Contents: the viewer may see what commitments hide. Texts: there are any.
	Contents, Texts bool
}

// Before and After are the entries beside it.
func (p *recordPage) Before() int64 { return p.Index - 1 }

// After is as Before.
func (p *recordPage) After() int64 { return p.Index + 1 }

// recordTimes are the times of a record: log time decides, the author's clock
// is a claim.
type recordTimes struct {
	Logged, Claimed int64
	// Apart says how far the two are apart, in words.
	Apart string
}

// fieldGroup is fields that are read together.
type fieldGroup struct {
	Title, Note string
	Fields      []recordField
}

// groupOf says where a field of a record is shown. What is not here is its
// body.
var groupOf = map[protoreflect.Name]int{
	"author": groupWho, "capture": groupWho, "claimed_time": groupWho,
	"user": groupWhom, "session": groupWhom, "grant": groupWhom, "basis": groupWhom, "subjects": groupWhom, "token": groupWhom,
	"parent": groupLinks, "parent_agent": groupLinks, "asks": groupLinks, "causes": groupLinks,
	"sequence": groupLinks, "previous": groupLinks, "trace": groupLinks,
	"origin": groupForm, "nonce": groupForm,
}

// The groups, in the order in which they are shown.
const (
	groupBody = iota
	groupWho
	groupWhom
	groupLinks
	groupForm
	groups
)

// groupHeads name the groups.
var groupHeads = [groups]fieldGroup{
	groupBody:  {Title: "What it says"},
	groupWho:   {Title: "Who says it"},
	groupWhom:  {Title: "For whom, and on what authority"},
	groupLinks: {Title: "How it hangs together"},
	groupForm:  {Title: "Which log it is for"},
}

func (v *visit) recordPage(e chain.Entry) (*recordPage, error) {
	m := e.Record.Msg
	size := v.Log.Size()
	p := &recordPage{ID: e.Record.ID, Index: e.Index, HasNext: e.Index+1 < size, Kind: report.KindOf(m), What: whatOf(m),
		Author: v.authorName(m.GetAuthor(), e.Index), Contents: v.Contents}
	p.Times.Logged = e.LogTime
	switch e.Opaque {
	case chain.Withheld:
		p.Kind, p.Opaque = "withheld", "The maker of this file withheld the record. Its id, its author and its links are the maker’s word; nothing here proves them."
		return p, nil
	case chain.Newer:
		p.Kind, p.Opaque = "of a newer format", "The record has a format that this version does not know: it is not judged here. A newer version can read it."
		return p, nil
	}
	if m.GetUser() != "" {
		p.OnBehalf = v.authorName(&onusv1.Author{User: m.GetUser()}, e.Index)
	}
	if t := m.GetClaimedTime(); t != nil {
		p.Times.Claimed = t.AsTime().UnixMilli()
		p.Times.Apart = apart(e.LogTime - p.Times.Claimed)
	}
	if m.GetCapture() != onusv1.Capture_CAPTURE_SELF {
		p.Capture = enumWord(m.GetCapture().Descriptor(), m.GetCapture().Number())
	}
	if err := v.recordGroups(p, e); err != nil {
		return nil, err
	}
	stamp := e.Stamp
	raw, err := v.Log.Raw(e.Index)
	if err != nil && !errors.Is(err, desk.ErrNotShown) {
		return nil, err
	}
	if parsed, err := entry.Parse(raw); err == nil {
		stamp = &parsed.Stamp
	}
	p.Stamp = v.stampFields(e, stamp)
	p.Signature = v.checkSignature(e.Record, e.Index, e.LogTime, size, v.newest())
	if p.Proof, err = v.proofOf(e); err != nil {
		return nil, err
	}
	if p.Raw, err = rawOf(e.Record); err != nil {
		return nil, err
	}
	p.About, err = v.matterOf(e)
	return p, err
}

// newest is the log time of the newest entry that is shown, which is the log's
// now. A file need not hold the log's last one.
func (v *visit) newest() int64 {
	size := v.Log.Size()
	if size == 0 {
		return 0
	}
	if e, err := v.Log.Entry(size - 1); err == nil {
		return e.LogTime
	}
	if indices, _, err := v.Log.Records(RecordQuery{}, 1, ""); err == nil && len(indices) > 0 {
		if e, err := v.Log.Entry(indices[0]); err == nil {
			return e.LogTime
		}
	}
	return 0
}

func (v *visit) recordGroups(p *recordPage, e chain.Entry) error {
	f := &fieldReader{log: v.Log, at: e.Index + 1, disclosed: v.Contents}
	p.Texts = len(e.Record.Texts()) > 0
	if v.Contents && p.Texts {
		contents, err := v.Log.Contents(e.Index)
		if err != nil && !errors.Is(err, desk.ErrNotShown) && !errors.Is(err, desk.ErrNotFound) {
			return err
		}
		if f.contents, err = e.Record.OpenContents(contents); err != nil {
			return err
		}
	}
	for i, g := range groupHeads {
		g.Fields = f.some(e.Record.Msg, func(fd protoreflect.FieldDescriptor) bool {
			if fd.Name() == "sequence" && e.Record.Msg.GetAuthor().GetAgent() == "" {
				return false // only agents count their records
			}
			return groupOf[fd.Name()] == i
		})
		if i == groupBody {
			g.Fields = unwrap(g.Fields) // the kind stands in the headline
			if e.Record.Msg.GetRegistration() != nil {
				g.Fields = unwrap(g.Fields)
			}
		}
		if len(g.Fields) > 0 {
			p.Groups = append(p.Groups, g)
		}
	}
	return nil
}

// unwrap returns what a single field holds, if it holds others.
func unwrap(fields []recordField) []recordField {
	if len(fields) == 1 && len(fields[0].Fields) > 0 {
		return fields[0].Fields
	}
	return fields
}

// apart says how far the author's clock was from the log's.
func apart(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	switch {
	case ms == 0:
		return "the same as the log’s"
	case ms > 0:
		return spanWords(d) + " before the log’s"
	}
	return spanWords(-d) + " after the log’s"
}
