// Bench puts Onus beside what a user would pick instead, in one run on one
// machine: Tessera, immudb and PostgreSQL. README.md says what each cell does
// and what may be compared.
//
// The program runs itself anew for each cell (-cell), so that no system
// inherits another's heap, caches or open files.
package main
