package desk

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
)

// place is where a case stands in an order: the greater comes first. The number
// breaks ties.
type place struct {
	major, minor int64
	n            uint32
}

func (p place) before(q place) bool {
	switch {
	case p.major != q.major:
		return p.major > q.major
	case p.minor != q.minor:
		return p.minor > q.minor
	}
	return p.n > q.n
}

// cursor is the end of a page: the last case on it, and the log time at which
// the first page was made.
type cursor struct {
	last place
	time int64
}

const (
	cursorBytes = 8 + 8 + 4 + 8
	cursorMAC   = 16
)

var cursorText = base64.RawURLEncoding.Strict()

// sign binds a cursor to its query and to this desk's database.
func (d *Desk) sign(q *Query, body []byte) []byte {
	text, err := json.Marshal(q)
	if err != nil {
		panic("desk: a query is not JSON: " + err.Error())
	}
	mac := hmac.New(sha256.New, d.secret[:])
	mac.Write(body)
	mac.Write(text)
	return mac.Sum(nil)[:cursorMAC]
}

func (d *Desk) cursorOf(q *Query, c cursor) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(c.last.major))
	b = binary.BigEndian.AppendUint64(b, uint64(c.last.minor))
	b = binary.BigEndian.AppendUint32(b, c.last.n)
	b = binary.BigEndian.AppendUint64(b, uint64(c.time))
	return cursorText.EncodeToString(append(b, d.sign(q, b)...))
}

func (d *Desk) parseCursor(q *Query, s string) (cursor, error) {
	if len(s) != cursorText.EncodedLen(cursorBytes+cursorMAC) {
		return cursor{}, ErrCursor
	}
	b, err := cursorText.DecodeString(s)
	if err != nil || len(b) != cursorBytes+cursorMAC || !hmac.Equal(b[cursorBytes:], d.sign(q, b[:cursorBytes])) {
		return cursor{}, ErrCursor
	}
	return cursor{last: place{int64(binary.BigEndian.Uint64(b)), int64(binary.BigEndian.Uint64(b[8:])), binary.BigEndian.Uint32(b[16:])},
		time: int64(binary.BigEndian.Uint64(b[20:]))}, nil
}
