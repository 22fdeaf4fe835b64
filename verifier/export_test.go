package verifier

// SetMaxIDs makes the set of ids so small that a test can fill it.
func (a *Audit) SetMaxIDs(n int) { a.maxIDs = n }
