package evidence

// Origin returns the name of the log that the checkpoint says it is of; empty
// if it cannot be read. Nothing proves it: it serves to choose a key.
func (b *Bundle) Origin() string {
	cp, _, err := openCheckpoint(b.Checkpoint)
	if err != nil {
		return ""
	}
	return cp.Origin
}
