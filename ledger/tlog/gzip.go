package tlog

import (
	"bytes"
	"compress/gzip"
	"strconv"
	"strings"
)

// acceptsGzip tells from a request's Accept-Encoding whether it takes gzip.
// RFC 9110, section 12.5.3: the most exact word counts, and a weight of 0 means
// no. A header that cannot be read takes nothing but the bytes as they are.
func acceptsGzip(accept []string) bool {
	gzip, rest := -1.0, -1.0
	for _, line := range accept {
		for part := range strings.SplitSeq(line, ",") {
			coding, params, weighted := strings.Cut(part, ";")
			weight := 1.0
			if weighted {
				name, value, _ := strings.Cut(params, "=")
				var err error
				weight, err = strconv.ParseFloat(strings.TrimSpace(value), 64)
				if !strings.EqualFold(strings.TrimSpace(name), "q") || err != nil || weight < 0 || weight > 1 {
					return false
				}
			}
			switch strings.ToLower(strings.TrimSpace(coding)) {
			case "gzip":
				gzip = weight
			case "*":
				rest = weight
			}
		}
	}
	if gzip < 0 {
		return rest > 0
	}
	return gzip > 0
}

func compress(b []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		panic("tlog: gzip at its own level: " + err.Error())
	}
	w.Write(b) // neither fails: a buffer takes everything
	w.Close()
	return out.Bytes()
}
