package record_test

import (
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// BenchmarkParse reads a decision record with every field set. "runtime" is
// the protobuf runtime alone: what is above it is ours.
func BenchmarkParse(b *testing.B) {
	binary := marshal(b, decision())
	text, err := protojson.Marshal(decision())
	if err != nil {
		b.Fatal(err)
	}
	b.Run("runtime", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := proto.Unmarshal(binary, new(onusv1.Record)); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, c := range map[string]struct {
		typ     record.PayloadType
		payload []byte
	}{"protobuf": {record.TypeProtobuf, binary}, "json": {record.TypeJSON, text}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parse(c.typ, c.payload); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
