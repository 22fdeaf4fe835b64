package evidence_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/tree"
)

var update = flag.Bool("update", false, "write the vector files anew")

// A vector is a file and what it holds and shows, for other implementations to
// compare with.
type vector struct {
	Comment string   `json:"comment"`
	LogKey  string   `json:"log_key"`
	File    []string `json:"file_base64"` // in lines
	Size    int      `json:"size"`
	// What it holds.
	Checkpoint string           `json:"checkpoint"`
	Asked      []string         `json:"asked"`
	Where      string           `json:"where"`
	Claim      string           `json:"claim"`
	Reference  *vectorReference `json:"reference"`
	Leaves     []vectorLeaf     `json:"leaves"`
	Proof      []string         `json:"proof"`
	Contents   []vectorContent  `json:"contents"`
	Tokens     []vectorToken    `json:"tokens"`
	// What it shows, with the log key and, for a file that refers to its
	// registry, with the registry of the file "full".
	Faults         []string `json:"faults"` // index and finding
	RegistryProven int64    `json:"registry_proven_before"`
}

type vectorReference struct {
	Count int64  `json:"count"`
	Root  string `json:"root"`
}

type vectorLeaf struct {
	Index    int64  `json:"index"`
	Kind     string `json:"kind"`
	LeafHash string `json:"leaf_hash"`
	ID       string `json:"id"`
	Party    string `json:"party,omitempty"`
}

type vectorContent struct {
	Index int64  `json:"index"`
	Salt  string `json:"salt_hex"`
	Data  string `json:"data"`
}

type vectorToken struct {
	Index int64  `json:"index"`
	Text  string `json:"text"`
}

// vectorOf describes a file by what the code under test makes of it: the
// stored vectors hold later versions to what this one made.
func vectorOf(t *testing.T, comment, logKey string, file []byte, trust evidence.Trust) vector {
	t.Helper()
	b := read(t, file)
	res := verify(t, b, trust)
	v := vector{Comment: comment, LogKey: logKey, Size: len(file), Checkpoint: string(b.Checkpoint),
		Asked: []string{}, Where: b.Scope.Where, Claim: b.Scope.Claim, Leaves: []vectorLeaf{}, Proof: []string{},
		Contents: []vectorContent{}, Tokens: []vectorToken{}, Faults: []string{}, RegistryProven: res.RegistryProven}
	for s := base64.StdEncoding.EncodeToString(file); s != ""; {
		n := min(96, len(s))
		v.File, s = append(v.File, s[:n]), s[n:]
	}
	for _, id := range b.Scope.Asked {
		v.Asked = append(v.Asked, id.String())
	}
	if r := b.Reference; r != nil {
		v.Reference = &vectorReference{r.Count, r.Root.String()}
	}
	for i := range b.Leaves {
		l := &b.Leaves[i]
		vl := vectorLeaf{Index: l.Index, Kind: "entry", LeafHash: l.Hash().String(), ID: res.Leaves[i].ID.String()}
		switch {
		case l.Withheld != nil:
			vl.Kind, vl.Party = "withheld", l.Withheld.AssertedParty
		case l.Registry:
			vl.Kind = "registry"
		}
		v.Leaves = append(v.Leaves, vl)
	}
	for _, h := range b.Proof {
		v.Proof = append(v.Proof, h.String())
	}
	for _, c := range b.Contents {
		v.Contents = append(v.Contents, vectorContent{c.Index, hex.EncodeToString(c.Salt[:]), string(c.Data)})
	}
	for _, x := range b.Tokens {
		v.Tokens = append(v.Tokens, vectorToken{x.Index, x.Text})
	}
	for _, f := range res.Faults {
		v.Faults = append(v.Faults, fmt.Sprintf("%d %s", f.Index, f.Finding))
	}
	return v
}

func TestVectors(t *testing.T) {
	l := small(t)
	refer := evidence.Trust{LogKey: l.log.Key(), Registry: held(t, l, l.trust())}
	for name, c := range map[string]struct {
		comment string
		trust   evidence.Trust
	}{
		"full":      {"one of everything: a registry, an intent with its token, a decision, contents, a withheld entry", l.trust()},
		"reference": {"an action of the same log, with a reference in place of the registry", refer},
		"broken":    {"an action of the same log, and the revocation at index 7 left out of the registry", l.trust()},
	} {
		path := filepath.Join("testdata", name+".json")
		if *update {
			v := vectorOf(t, c.comment, l.log.Key().String(), write(t, makeVector(t, name)), c.trust)
			b, err := json.MarshalIndent(v, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var want vector
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
		var file []byte
		for _, line := range want.File {
			part, err := base64.StdEncoding.Strict().DecodeString(line)
			if err != nil {
				t.Fatal(err)
			}
			file = append(file, part...)
		}
		key, err := tree.ParseLogKey(want.LogKey)
		if err != nil {
			t.Fatal(err)
		}
		c.trust.LogKey = key
		if diff := cmp.Diff(want, vectorOf(t, want.Comment, want.LogKey, file, c.trust)); diff != "" {
			t.Errorf("%s (-stored +read)\n%s", name, diff)
		}
		if !bytes.Equal(write(t, makeVector(t, name)), file) {
			t.Errorf("%s: made anew, the file differs", name)
		}
	}
}

func makeVector(t *testing.T, name string) *evidence.Bundle {
	l, b := full(t)
	switch name {
	case "reference":
		count, root := l.reg.Stamp(10)
		b = l.refer(count, root, 8)
	case "broken":
		b = l.bundleOf(0, 1, 2, 3, 6, 8)
	}
	return b
}
