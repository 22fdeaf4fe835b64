package openaichat

import (
	"bytes"
	"encoding/json"
	"strings"
)

// object reads a JSON object. Unlike encoding/json it refuses a member that
// stands there twice: of two contents, each reader would believe another.
func object(at string, raw json.RawMessage) (map[string]json.RawMessage, error) {
	if len(raw) == 0 {
		return nil, fail(at, "is missing")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	t, err := d.Token()
	if err != nil {
		return nil, fail(at, "is not JSON: %v", err)
	}
	if t != json.Delim('{') {
		return nil, fail(at, "is not a JSON object")
	}
	o := map[string]json.RawMessage{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, fail(at, "is not JSON: %v", err)
		}
		k, _ := t.(string) // a key is always a string
		if _, twice := o[k]; twice {
			return nil, fail(at, "has the member %.40q twice", k)
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return nil, fail(at, "is not JSON: %v", err)
		}
		o[k] = v
	}
	if _, err := d.Token(); err != nil {
		return nil, fail(at, "is not JSON: %v", err)
	}
	if rest := bytes.TrimSpace(raw[d.InputOffset():]); len(rest) > 0 {
		return nil, fail(at, "goes on after its JSON object")
	}
	return o, nil
}

func list(at string, raw json.RawMessage) ([]json.RawMessage, error) {
	var l []json.RawMessage
	if isNull(raw) || json.Unmarshal(raw, &l) != nil {
		return nil, fail(at, "is missing or not a list")
	}
	return l, nil
}

// text reads a string that must be there.
func text(o map[string]json.RawMessage, key, at string) (string, error) {
	s, err := optional(o, key, at)
	if err == nil && s == "" {
		err = fail(join(at, key), "is missing")
	}
	return s, err
}

// optional reads a string that may be missing or null.
func optional(o map[string]json.RawMessage, key, at string) (string, error) {
	var s string
	if raw := o[key]; !isNull(raw) && json.Unmarshal(raw, &s) != nil {
		return "", fail(join(at, key), "is not a string")
	}
	return s, nil
}

// content reads a message's content: a string, a list of text parts, or, where
// that is allowed, null.
func content(at string, raw json.RawMessage, null bool) (string, error) {
	if isNull(raw) {
		if !null {
			return "", fail(at, "is missing")
		}
		return "", nil
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s, nil
	}
	var parts []json.RawMessage
	if json.Unmarshal(raw, &parts) != nil {
		return "", fail(at, "is neither a string nor a list of text parts")
	}
	var texts []string
	for _, p := range parts {
		o, err := object(at, p)
		if err != nil {
			return "", err
		}
		kind, err := text(o, "type", at)
		if err != nil {
			return "", err
		}
		if kind != "text" {
			return "", fail(at, "has a part of type %.40q: only text can be imported", kind)
		}
		s, err := optional(o, "text", at)
		if err != nil {
			return "", err
		}
		texts = append(texts, s)
	}
	return strings.Join(texts, "\n"), nil
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// isNothing: missing, null, or empty.
func isNothing(raw json.RawMessage) bool {
	switch string(raw) {
	case "", "null", `""`, "[]", "{}":
		return true
	}
	return false
}

func join(at, key string) string {
	if at == "" {
		return key
	}
	return at + "." + key
}
