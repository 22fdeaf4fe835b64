package web

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/web/report"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// recordField is one thing that a record says, in words: our label, and the
// record's value, which is foreign and made harmless. One of Quote, Code, ID,
// Time, Words or Fields is set.
type recordField struct {
	Label string
	// Quote is free text, Code what the format holds to a few signs.
	Quote, Code string
	// ID is shown short, and copied in full: it is as the record has it, for the
	// template's function id.
	ID string
	// Time is in milliseconds since 1970; HasTime tells zero from nothing.
	Time    int64
	HasTime bool
	// Words are ours, or what is said in place of a value: Absent.
	Words  string
	Absent bool
	Fields []recordField
	// Href is where the value leads, and Note what we add to it. NoteQuote is a
	// name that somebody else gave.
	Href, Note, NoteQuote string
}

// fieldReader puts messages into words. What it looks up about names is as the
// log has it at the index at.
type fieldReader struct {
	log Log
	at  int64
	// contents open commitments, if the viewer may see them: disclosed.
	contents  map[[record.CommitmentSize]byte]*onusv1.Content
	disclosed bool
}

// fields returns all that is set in a message, in the order of the schema.
func (f *fieldReader) fields(m proto.Message) []recordField {
	return f.some(m, func(protoreflect.FieldDescriptor) bool { return true })
}

func (f *fieldReader) some(m proto.Message, want func(protoreflect.FieldDescriptor) bool) []recordField {
	if m == nil || !m.ProtoReflect().IsValid() {
		return nil
	}
	r := m.ProtoReflect()
	fds := r.Descriptor().Fields()
	var out []recordField
	for i := range fds.Len() {
		fd := fds.Get(i)
		l := labelOf(fd)
		if !want(fd) || !r.Has(fd) && !l.always {
			continue
		}
		if !fd.IsList() {
			out = append(out, f.value(fd, l, r.Get(fd)))
			continue
		}
		list := r.Get(fd).List()
		for j := range list.Len() {
			out = append(out, f.value(fd, l, list.Get(j)))
		}
	}
	return out
}

// labelOf returns a field's words: its name in the schema, where it is newer
// than they are.
func labelOf(fd protoreflect.FieldDescriptor) label {
	if l, ok := labels[labelName(fd)]; ok {
		return l
	}
	return label{words: strings.ReplaceAll(string(fd.Name()), "_", " ")}
}

func labelName(fd protoreflect.FieldDescriptor) protoreflect.FullName {
	return protoreflect.FullName(string(fd.Parent().Name()) + "." + string(fd.Name()))
}

func (f *fieldReader) value(fd protoreflect.FieldDescriptor, l label, v protoreflect.Value) recordField {
	out := recordField{Label: l.words}
	switch fd.Kind() {
	case protoreflect.MessageKind:
		f.message(&out, v.Message().Interface())
	case protoreflect.EnumKind:
		out.Words = enumWord(fd.Enum(), v.Enum())
	case protoreflect.BoolKind:
		out.Words = "yes"
		if !v.Bool() {
			out.Words = "no"
		}
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		out.Code = strconv.FormatInt(v.Int(), 10)
		if labelName(fd) == "Rejection.revocation" {
			out.Href = recordIndexPath(v.Int())
		}
	case protoreflect.BytesKind:
		bytesField(&out, v.Bytes(), l.shape)
	default:
		f.text(&out, v.String(), l.shape)
	}
	return out
}

func enumWord(ed protoreflect.EnumDescriptor, n protoreflect.EnumNumber) string {
	if vd := ed.Values().ByNumber(n); vd != nil {
		if w, ok := enumWords[vd.Name()]; ok {
			return w
		}
		return strings.ToLower(strings.ReplaceAll(string(vd.Name()), "_", " "))
	}
	return fmt.Sprintf("a value that is not known here: %d", n)
}

func (f *fieldReader) message(out *recordField, m proto.Message) {
	switch m := m.(type) {
	case *timestamppb.Timestamp:
		out.Time, out.HasTime = m.AsTime().UnixMilli(), true
	case *durationpb.Duration:
		out.Words = spanWords(m.AsDuration())
	case *onusv1.Text:
		f.prose(out, m)
	default:
		if out.Fields = f.fields(m); len(out.Fields) == 0 {
			out.Words = "nothing more"
		}
	}
}

// prose shows a text, or says why it is not shown.
func (f *fieldReader) prose(out *recordField, t *onusv1.Text) {
	switch form := t.GetForm().(type) {
	case *onusv1.Text_Plain:
		out.Quote, out.Note = quotable(form.Plain), "plain text in the record"
	case *onusv1.Text_Commitment:
		var key [record.CommitmentSize]byte
		copy(key[:], form.Commitment)
		c := f.contents[key]
		switch {
		case !f.disclosed:
			out.Words, out.Absent = "not disclosed to your role", true
		case c == nil:
			out.Words, out.Absent = "not stored here", true
		default:
			out.Quote, out.Note = quotable(string(c.GetData())), "what the record commits to: salt and text give its hash"
		}
		out.Fields = []recordField{{Label: "Commitment", ID: hex.EncodeToString(form.Commitment)}}
	}
}

// quotable makes a text harmless; one that is empty is told from none.
func quotable(s string) string {
	if s == "" {
		return " "
	}
	return report.Clean(s)
}

func bytesField(out *recordField, b []byte, s shape) {
	if s == isPublished {
		out.Quote = quotable(string(b))
		return
	}
	out.ID = hex.EncodeToString(b)
	out.Note = count(len(b), "byte")
}

// text shows a name or an id, and where it leads.
func (f *fieldReader) text(out *recordField, s string, sh shape) {
	switch sh {
	case byType:
		out.Quote = quotable(s)
	case isName:
		out.Code = report.Clean(s)
	case isRecord, isGrant:
		out.ID = s
		id, err := record.ParseID(s)
		if err != nil {
			return
		}
		out.Href = "/record/" + id.String()
		if sh == isGrant {
			out.Href = "/grants/" + id.String()
		}
		index, err := f.log.Index(id)
		if err != nil {
			out.Note, out.Href = "not in the log", ""
			return
		}
		out.Note = fmt.Sprintf("entry %d", index)
	case isKey:
		out.ID = s
		if b := f.log.Registry().Key(s, f.log.Size()); b != nil {
			out.Href = recordIndexPath(b.Index)
			out.Note = fmt.Sprintf("bound by entry %d", b.Index)
		} else {
			out.Note = "not bound to anybody"
		}
	case isAgent:
		out.Code, out.Href = report.Clean(s), partyPath("/agents", s)
		if a, _ := f.log.Registry().Agent(s, f.at); a != nil {
			out.NoteQuote = report.Clean(a.GetDisplayName())
		}
	case isOperator:
		out.Code, out.Href = report.Clean(s), partyPath("/operators", s)
		if o, _ := f.log.Registry().Operator(s, f.at); o != nil {
			out.NoteQuote = report.Clean(o.GetUnit())
		}
	case isUser, isSubject:
		f.pseudonym(out, s, sh)
	case isSession:
		out.Code, out.Href = report.Clean(s), recordsPath("session", s)
	}
}

func (f *fieldReader) pseudonym(out *recordField, s string, sh shape) {
	out.Code = report.Clean(s)
	switch {
	case record.IsPseudonym(s, record.UserPrefix):
		out.Href = partyPath("/users", s)
	case record.IsPseudonym(s, record.SubjectPrefix):
		out.Href = partyPath("/subjects", s)
	default:
		return
	}
	if f.disclosed {
		if name, err := f.log.Name(s); err == nil {
			name, issuer := personName(name)
			out.NoteQuote = report.Clean(name)
			if issuer != "" {
				out.Note = "said to be of " + report.Clean(issuer)
			}
		}
	}
}

// partyOfAuthor is who signs, with the process.
func partyOfAuthor(a *onusv1.Author) (registry.Party, string) {
	return registry.PartyOf(a), a.GetInstance()
}

// spanWords says how long something lasts, to the second above one and to the
// millisecond below.
func spanWords(d time.Duration) string {
	if d < 0 {
		return "minus " + spanWords(-d)
	}
	switch {
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + " s"
	}
	d = d.Round(time.Second)
	var parts []string
	for _, u := range []struct {
		span time.Duration
		word string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if n := d / u.span; n > 0 && len(parts) < 2 {
			parts = append(parts, count(int(n), u.word))
			d -= n * u.span
		} else if len(parts) > 0 {
			break
		}
	}
	return strings.Join(parts, " ")
}
