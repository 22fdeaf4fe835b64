package web

import (
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// eachMessage calls f with every message that a record may hold, but for those
// that are values: times and spans.
func eachMessage(f func(protoreflect.MessageDescriptor)) {
	seen := map[protoreflect.FullName]bool{}
	var walk func(protoreflect.MessageDescriptor)
	walk = func(md protoreflect.MessageDescriptor) {
		if seen[md.FullName()] || md.FullName().Parent() == "google.protobuf" {
			return
		}
		seen[md.FullName()] = true
		f(md)
		for i := range md.Fields().Len() {
			if sub := md.Fields().Get(i).Message(); sub != nil {
				walk(sub)
			}
		}
	}
	walk((&onusv1.Record{}).ProtoReflect().Descriptor())
}

// Every field that a record may have, and every value of an enum in it, has
// words: whoever adds one to the protocol adds them.
func TestEveryFieldHasWords(t *testing.T) {
	known := map[protoreflect.FullName]bool{}
	values := map[protoreflect.Name]bool{}
	messages := 0
	eachMessage(func(md protoreflect.MessageDescriptor) {
		messages++
		for i := range md.Fields().Len() {
			fd := md.Fields().Get(i)
			name := labelName(fd)
			known[name] = true
			if labels[name].words == "" {
				t.Errorf("field %s has no words: add it to labels", name)
			}
			if fd.IsMap() || fd.Kind() == protoreflect.GroupKind {
				t.Errorf("field %s is of a kind that pages do not show", name)
			}
			if e := fd.Enum(); e != nil {
				for j := range e.Values().Len() {
					vd := e.Values().Get(j)
					if values[vd.Name()] = true; vd.Number() != 0 && enumWords[vd.Name()] == "" {
						t.Errorf("value %s has no words: add it to enumWords", vd.Name())
					}
				}
			}
		}
	})
	if messages < 40 {
		t.Errorf("only %d messages were looked at", messages)
	}
	for name := range labels {
		if !known[name] {
			t.Errorf("labels has %s, which no record has", name)
		}
	}
	for name := range enumWords {
		if !values[name] {
			t.Errorf("enumWords has %s, which no record has", name)
		}
	}
}

// Every field of a record itself stands in a group, and what is in no group is
// its body.
func TestEveryFieldIsShownOnce(t *testing.T) {
	fds := (&onusv1.Record{}).ProtoReflect().Descriptor().Fields()
	names := map[protoreflect.Name]bool{}
	for i := range fds.Len() {
		fd := fds.Get(i)
		names[fd.Name()] = true
		_, grouped := groupOf[fd.Name()]
		if inBody := fd.ContainingOneof() != nil; grouped == inBody {
			t.Errorf("field %s: in a group %t, part of the body %t", fd.Name(), grouped, inBody)
		}
	}
	for name := range groupOf {
		if !names[name] {
			t.Errorf("groupOf has %s, which no record has", name)
		}
	}
	for i, g := range groupHeads {
		if g.Title == "" {
			t.Errorf("group %d has no title", i)
		}
	}
}
