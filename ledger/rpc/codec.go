package rpc

import (
	"errors"
	"fmt"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// jsonCodec reads requests in JSON strictly. Connect's own codec passes over
// names that it does not know; here a misspelt "contents" would be lost
// without a word.
type jsonCodec struct{ name string }

// strictJSON replaces Connect's JSON codecs.
func strictJSON() connect.HandlerOption {
	return connect.WithHandlerOptions(
		connect.WithCodec(jsonCodec{"json"}),
		connect.WithCodec(jsonCodec{"json; charset=utf-8"}))
}

func (c jsonCodec) Name() string { return c.name }

func (jsonCodec) Marshal(m any) ([]byte, error) {
	msg, ok := m.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T is not a message", m)
	}
	return protojson.Marshal(msg)
}

func (jsonCodec) Unmarshal(b []byte, m any) error {
	msg, ok := m.(proto.Message)
	if !ok {
		return fmt.Errorf("%T is not a message", m)
	}
	if len(b) == 0 {
		return errors.New("the request is empty: send a JSON object")
	}
	return protojson.Unmarshal(b, msg)
}

// MarshalStable makes the query of a GET, which must be the same each time.
func (c jsonCodec) MarshalStable(m any) ([]byte, error) { return c.Marshal(m) }

// IsBinary says that messages are text, for the query of a GET.
func (jsonCodec) IsBinary() bool { return false }
