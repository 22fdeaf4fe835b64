package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// yamlFile reads a YAML file strictly: one document, fields that are known,
// each once. Every error names the line.
type yamlFile struct{ name string }

func (y yamlFile) errorf(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", y.name, n.Line, fmt.Sprintf(format, args...))
}

// parse returns the document's top mapping.
func (y yamlFile) parse(data []byte) (*yaml.Node, error) {
	var doc yaml.Node
	d := yaml.NewDecoder(strings.NewReader(string(data)))
	if err := d.Decode(&doc); err != nil {
		return nil, fmt.Errorf("%s: %w", y.name, err)
	}
	if err := d.Decode(new(yaml.Node)); err == nil {
		return nil, fmt.Errorf("%s: holds more than one document: put all into one", y.name)
	}
	if len(doc.Content) != 1 {
		return nil, fmt.Errorf("%s: is empty", y.name)
	}
	return doc.Content[0], nil
}

// field is one entry of a mapping.
type field struct {
	key, value *yaml.Node
}

// fields returns a mapping's entries in order. Each key stands there once, and
// nothing is merged in from elsewhere.
func (y yamlFile) fields(n *yaml.Node) ([]field, error) {
	if n = resolve(n); n.Kind != yaml.MappingNode {
		return nil, y.errorf(n, "expected fields, NAME: VALUE")
	}
	var all []field
	seen := map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		k := n.Content[i]
		switch {
		case k.Tag == "!!merge":
			return nil, y.errorf(k, "<< is not read: write the fields out")
		case k.Kind != yaml.ScalarNode:
			return nil, y.errorf(k, "a field's name is a word")
		case seen[k.Value]:
			return nil, y.errorf(k, "%s stands here twice", k.Value)
		}
		seen[k.Value] = true
		all = append(all, field{k, resolve(n.Content[i+1])})
	}
	return all, nil
}

// list returns the elements of a list.
func (y yamlFile) list(f field) ([]*yaml.Node, error) {
	if f.value.Kind != yaml.SequenceNode {
		return nil, y.errorf(f.value, "%s is a list: start each element with a dash", f.key.Value)
	}
	var all []*yaml.Node
	for _, n := range f.value.Content {
		all = append(all, resolve(n))
	}
	return all, nil
}

// text returns a scalar as it is written.
func (y yamlFile) text(f field) (string, error) {
	if f.value.Kind != yaml.ScalarNode || f.value.Tag == "!!null" {
		return "", y.errorf(f.value, "%s is a text", f.key.Value)
	}
	return f.value.Value, nil
}

func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// message reads a mapping as a message. Fields whose names own holds are left
// to the caller, who gets them back.
func (y yamlFile) message(n *yaml.Node, m proto.Message, own ...string) (map[string]field, error) {
	left := map[string]field{}
	v, err := y.object(n, m.ProtoReflect().Descriptor(), func(f field) bool {
		if slices.Contains(own, f.key.Value) {
			left[f.key.Value] = f
			return true
		}
		return false
	}, own)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, y.errorf(n, "%v", err)
	}
	if err := protojson.Unmarshal(b, m); err != nil {
		return nil, y.errorf(n, "%s", strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\u00a0", " "), "proto: "))
	}
	return left, nil
}

// object reads a mapping as the ProtoJSON of a message.
func (y yamlFile) object(n *yaml.Node, d protoreflect.MessageDescriptor, mine func(field) bool, own []string) (map[string]any, error) {
	fields, err := y.fields(n)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	for _, f := range fields {
		if mine != nil && mine(f) {
			continue
		}
		fd := d.Fields().ByJSONName(f.key.Value)
		if fd == nil {
			fd = d.Fields().ByName(protoreflect.Name(f.key.Value))
		}
		if fd == nil {
			names := slices.Clone(own)
			for i := range d.Fields().Len() {
				names = append(names, d.Fields().Get(i).JSONName())
			}
			return nil, y.errorf(f.key, "there is no field %q here: there are %s", f.key.Value, strings.Join(names, ", "))
		}
		if _, twice := out[fd.JSONName()]; twice {
			return nil, y.errorf(f.key, "%s stands here twice", fd.JSONName())
		}
		v, err := y.value(f, fd)
		if err != nil {
			return nil, err
		}
		out[fd.JSONName()] = v
	}
	return out, nil
}

// value reads what stands at a field.
func (y yamlFile) value(f field, fd protoreflect.FieldDescriptor) (any, error) {
	if !fd.IsList() {
		return y.single(f.key.Value, f.value, fd)
	}
	elements, err := y.list(f)
	if err != nil {
		return nil, err
	}
	var all []any
	for _, n := range elements {
		v, err := y.single(f.key.Value, n, fd)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// single reads one value. Texts are taken as they are written: an amount of
// 50000.00 stays that.
func (y yamlFile) single(name string, n *yaml.Node, fd protoreflect.FieldDescriptor) (any, error) {
	if fd.Kind() == protoreflect.MessageKind && !isScalarMessage(fd.Message()) {
		return y.object(n, fd.Message(), nil, nil)
	}
	text, err := y.text(field{&yaml.Node{Value: name}, n})
	if err != nil {
		return nil, err
	}
	switch fd.Kind() {
	case protoreflect.BoolKind:
		v, err := strconv.ParseBool(text)
		if err != nil || n.Tag != "!!bool" {
			return nil, y.errorf(n, "%s is true or false", name)
		}
		return v, nil
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		v, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return nil, y.errorf(n, "%s is a whole number", name)
		}
		return v, nil
	}
	return text, nil
}

// isScalarMessage tells the messages that ProtoJSON writes as a text.
func isScalarMessage(d protoreflect.MessageDescriptor) bool {
	return d.FullName() == "google.protobuf.Timestamp" || d.FullName() == "google.protobuf.Duration"
}
