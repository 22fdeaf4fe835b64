package web

import (
	"errors"
	"fmt"
	"html/template"
	"strings"

	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"github.com/onus-ledger/onus/web/desk"
)

// maxSteps is the most levels of a path that are drawn: more than a log of any
// size that an index counts has.
const maxSteps = 64

// proofStep is one level of the way from an entry up to the root.
type proofStep struct {
	// Left: the sibling stands to the left.
	Left    bool
	Sibling tree.Hash
	// First and Last are the entries under the sibling; Node is the hash of
	// both together.
	First, Last int64
	Node        tree.Hash
}

// Entries says what stands under the sibling.
func (s proofStep) Entries() string {
	if s.First == s.Last {
		return fmt.Sprintf("entry %d", s.First)
	}
	return fmt.Sprintf("entries %d to %d", s.First, s.Last)
}

// Side says where the sibling stands.
func (s proofStep) Side() string {
	if s.Left {
		return "left"
	}
	return "right"
}

// pathToRoot follows an inclusion proof up, and returns each level. RFC 6962,
// section 2.1.1; the order is that of RFC 9162, section 2.1.3.2. Whether it
// leads to the root is asked with [tree.VerifyInclusion]: this is to be seen.
func pathToRoot(index, size int64, leaf tree.Hash, proof []tree.Hash) ([]proofStep, error) {
	if index < 0 || index >= size {
		return nil, fmt.Errorf("entry %d is not among %d", index, size)
	}
	if len(proof) > maxSteps {
		return nil, fmt.Errorf("a path of %d levels is longer than any log's", len(proof))
	}
	// at is the position of the node among those of its level, last that of the
	// level's last one.
	at, last, level := index, size-1, 0
	node := leaf
	var steps []proofStep
	for _, sibling := range proof {
		if last == 0 {
			return nil, fmt.Errorf("the path has %d levels, and the root is reached after %d", len(proof), len(steps))
		}
		// A last node without a sibling goes up as it is.
		for at&1 == 0 && at == last {
			at, last, level = at>>1, last>>1, level+1
		}
		s := proofStep{Left: at&1 == 1, Sibling: sibling}
		s.First = (at ^ 1) << level
		s.Last = min((at^1)<<level+1<<level, size) - 1
		if s.Left {
			node = tree.NodeHash(sibling, node)
		} else {
			node = tree.NodeHash(node, sibling)
		}
		s.Node = node
		steps = append(steps, s)
		at, last, level = at>>1, last>>1, level+1
	}
	return steps, nil
}

// proofPanel shows that an entry is in the log.
type proofPanel struct {
	// Missing says why there is no proof here.
	Missing string
	Leaf    tree.Hash
	Steps   []proofStep
	Picture template.HTML
	// Size and Root are those of the checkpoint that the proof leads to.
	Size int64
	Root tree.Hash
	// Checked: path and signature hold, by the key that this viewer has. Wrong
	// says what does not.
	Checked bool
	Wrong   string
	// LogKey is the key that signed the checkpoint, as the viewer has it.
	LogKey string
}

// Entries says how many the log of the checkpoint has.
func (p *proofPanel) Entries() string { return count(int(p.Size), "entry") }

// proofOf gets the proof of an entry and checks it as an auditor would.
func (v *visit) proofOf(e chain.Entry) (*proofPanel, error) {
	proven, err := v.Log.Receipt(e.Index)
	if errors.Is(err, desk.ErrNotShown) || errors.Is(err, desk.ErrNotFound) {
		return &proofPanel{Missing: "This file proves all its entries together, under one checkpoint: there is no proof of this one alone in it."}, nil
	}
	if err != nil {
		return nil, err
	}
	p := &proofPanel{}
	key := v.Log.Key()
	if key.IsZero() {
		p.Wrong = "You gave no key of the log, so its signature was not checked."
		return p, nil
	}
	p.LogKey = key.String()
	r := proven.GetReceipt()
	got, err := verifier.OpenReceipt(r, e.Record.Envelope.Type, e.Record.Envelope.Payload, key, nil)
	if err != nil {
		p.Wrong = "The proof does not hold: " + record.What(err)
		return p, nil
	}
	hashes, err := tree.ParseProof(r.GetInclusion())
	if err != nil {
		p.Wrong = "The proof cannot be read: " + record.What(err)
		return p, nil
	}
	p.Leaf, p.Size, p.Root = got.Leaf, got.Checkpoint.Size, got.Checkpoint.Root
	if p.Steps, err = pathToRoot(e.Index, p.Size, p.Leaf, hashes); err != nil {
		p.Wrong = "The proof cannot be drawn: " + err.Error()
		return p, nil
	}
	p.Checked = true
	p.Picture = drawPath(e.Index, p.Leaf, p.Steps)
	return p, nil
}

// Measures of the drawing, in its own units.
const (
	proofWide  = 640
	proofLevel = 58
	proofBoxW  = 176
	proofBoxH  = 34
	proofMid   = proofWide / 2
	proofSide  = 216 // from the middle of the path to that of a sibling
)

// drawPath draws the path: the root at the top, the entry at the bottom, the
// siblings at the side where they stand. All words in it are ours or hashes.
// Colours are those of record.css; nothing is said by colour alone.
func drawPath(index int64, leaf tree.Hash, steps []proofStep) template.HTML {
	var b strings.Builder
	height := len(steps)*proofLevel + proofBoxH + 24
	y := func(level int) int { return height - 12 - proofBoxH - level*proofLevel }
	fmt.Fprintf(&b, `<svg class="proofpath" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-labelledby="proofpath-t proofpath-d">`, proofWide, height, proofWide, height)
	fmt.Fprintf(&b, `<title id="proofpath-t">The path from entry %d to the root of the log</title>`, index)
	fmt.Fprintf(&b, `<desc id="proofpath-d">%s The list below has the same with all hashes.</desc>`, pathWords(index, steps))
	box := func(class string, mid, top int, first, second string) {
		fmt.Fprintf(&b, `<rect class="%s" x="%d" y="%d" width="%d" height="%d" rx="4"/>`, class, mid-proofBoxW/2, top, proofBoxW, proofBoxH)
		fmt.Fprintf(&b, `<text class="proofname" x="%d" y="%d" text-anchor="middle">%s</text>`, mid, top+14, first)
		fmt.Fprintf(&b, `<text class="proofhash" x="%d" y="%d" text-anchor="middle">%s</text>`, mid, top+27, second)
	}
	for i, s := range steps {
		below, above := y(i), y(i+1)
		x := proofMid + proofSide
		if s.Left {
			x = proofMid - proofSide
		}
		fmt.Fprintf(&b, `<path class="proofline" d="M%d %dV%d"/>`, proofMid, below, above+proofBoxH)
		fmt.Fprintf(&b, `<path class="proofline proofgiven" d="M%d %dV%dH%d"/>`, x, below, above+proofBoxH+10, proofMid)
		box("proofsibling", x, below, s.Entries(), shortHash(s.Sibling))
	}
	node := leaf
	for i := 0; i <= len(steps); i++ {
		name, class := "computed here", "proofnode"
		if i > 0 {
			node = steps[i-1].Node
		}
		switch {
		case i == 0 && len(steps) == 0:
			name, class = fmt.Sprintf("entry %d, and the root", index), "proofnode proofroot"
		case i == 0:
			name, class = fmt.Sprintf("entry %d", index), "proofnode proofleaf"
		case i == len(steps):
			name, class = "root", "proofnode proofroot"
		}
		box(class, proofMid, y(i), name, shortHash(node))
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}

// pathWords says the same as the drawing.
func pathWords(index int64, steps []proofStep) string {
	if len(steps) == 0 {
		return fmt.Sprintf("Entry %d is the only one: its hash is the root.", index)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Entry %d at the bottom", index)
	for i, s := range steps {
		fmt.Fprintf(&b, "; level %d joins %s on the %s", i+1, s.Entries(), s.Side())
	}
	b.WriteString("; the last one is the root.")
	return b.String()
}

func shortHash(h tree.Hash) string {
	s := h.String()
	if len(s) > 16 {
		return s[:16] + "…"
	}
	return s
}
