// Bench measures Onus: beside what a user would pick instead (Tessera, immudb
// and PostgreSQL), as its log grows, over RPC, and when more arrives than it can
// take. README.md says what each figure is and what may be compared.
//
// The program runs itself anew for each figure (bench step), so that none has
// another's heap, caches or open files in it.
package main
