// Package peers holds Onus to programs and libraries that others wrote: it has
// tests only. See README.md for which, and how to run them.
package peers
