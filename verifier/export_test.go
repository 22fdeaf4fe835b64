package verifier

// SetMaxIDs makes the set of ids so small that a test can fill it.
func (a *Audit) SetMaxIDs(n int) { a.maxIDs = n }

// SetMaxJudged makes what is kept for judging so small that a test exceeds it.
func (a *Audit) SetMaxJudged(n int64) { a.chains.maxBytes = n }
