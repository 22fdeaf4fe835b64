# Everything here needs Go, make and git, and nothing else (`race` needs a C
# compiler too). The other tools are pinned in tools/go.mod and built by Go.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c

TOOL := go tool -modfile=tools/go.mod
BUF  := $(TOOL) buf

# What the tests are run on, and how long each fuzz target runs:
#   make test PKG=./verifier/...     make fuzz FUZZTIME=5m
PKG      ?= ./...
FUZZTIME ?= 10s

# What buf breaking compares with: the newest release, or the last commit.
AGAINST ?= $(shell git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null || echo HEAD)

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: build ## Make a ledger in a temporary directory, play scenarios on it, and serve it with its viewer
	bin/onus demo

.PHONY: build
build: web/wasm/verify.wasm.gz ## Build bin/onus and bin/onus-verify, static
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/onus ./cmd/onus-verify

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unreleased)

# The verifier for browsers, which the viewer embeds (web/wasm/README.md). It is
# made anew when its sources, the version or Go change.
web/wasm/verify.wasm.gz: web/wasm/.made-for $(shell find gen verifier web/report cmd/onus-verify/wasm cmd/onus-verify/page tools/verifypage go.mod go.sum \
		-type f ! -name '*_test.go' ! -path '*/testdata/*')
	@echo "build: the verifier for browsers"
	@go -C tools run ./verifypage -version "$(VERSION)" -dir ../web/wasm

web/wasm/.made-for: FORCE
	@for="$(VERSION), $$(go env GOVERSION)"; [ "$$(cat $@ 2>/dev/null)" = "$$for" ] || echo "$$for" > $@

.PHONY: FORCE
FORCE:

# What an auditor takes who has no Go: the same sources and the same Go give the
# same bytes.
TARGETS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64

.PHONY: dist
dist: ## Build dist/: onus-verify for all systems, verify.html, and their checksums
	@rm -rf dist && mkdir dist
	@for t in $(TARGETS); do \
		GOOS=$${t%/*}; GOARCH=$${t#*/}; name=onus-verify-$$GOOS-$$GOARCH; \
		[ $$GOOS = windows ] && name=$$name.exe; \
		echo "dist: $$name"; \
		CGO_ENABLED=0 GOOS=$$GOOS GOARCH=$$GOARCH go build -trimpath -buildvcs=false \
			-ldflags "-s -w -X main.version=$(VERSION)" -o dist/$$name ./cmd/onus-verify || exit 1; \
	done
	@echo "dist: verify.html"
	@go -C tools run ./verifypage -version "$(VERSION)" -dir ../web/wasm -o ../dist/verify.html
	@cd dist && { sha256sum onus-verify-* verify.html 2>/dev/null || shasum -a 256 onus-verify-* verify.html; } > SHA256SUMS && cat SHA256SUMS

.PHONY: test
test: ## Run the tests; say in one line what each skipped suite needs
	@go test -json $(PKG) | go -C tools run ./testreport

# A module of its own, since it needs much that the product does not.
.PHONY: test-peers
test-peers: ## Hold Onus to other people's programs: Tessera, x/mod, torchwood, witnesses
	@go -C tools/peers vet ./...
	@go -C tools/peers test -json ./... | go -C tools run ./testreport

# The packages with long versions of their tests are those with a -long flag.
.PHONY: test-long
test-long: ## Run the long versions of the tests that decide by chance
	@go test -json -count=1 -timeout 60m $$(grep -rl --include='*_test.go' 'flag.Bool("long"' . | xargs -n1 dirname | sort -u) -long | \
	go -C tools run ./testreport

# Needs spire-server and spire-agent in the folder that ONUS_SPIRE names.
.PHONY: test-spire
test-spire: ## Run the SPIFFE test against a real SPIRE: make test-spire ONUS_SPIRE=DIR
	ONUS_SPIRE=$(ONUS_SPIRE) go test -count=1 -tags spire -run TestSPIRE ./agent/workload

# What one goroutine does many thousand times has nothing to race with, and
# takes the detector ten minutes.
ALONE := ^(TestSecondTileLevel|TestCrashAtEveryWrite|TestCheckFindsDamage)$$

.PHONY: race
race: ## Run the tests under the race detector
	@go test -json -race -skip '$(ALONE)' $(PKG) | go -C tools run ./testreport

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME, 10s unless told
	@grep -rno --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | \
	while IFS=: read -r file _ func; do \
		go test "$$(dirname "$$file")" -run '^$$' -fuzz "^$${func#func }\$$" -fuzztime $(FUZZTIME); \
	done

# A picture of each page, in a real browser, of a ledger in which the demo was
# played. Look at all of them before a release.
.PHONY: screenshots
screenshots: web/wasm/verify.wasm.gz ## Take pictures of the viewer's pages: docs/pictures/*.png
	ONUS_CI=1 go test -count=1 ./cmd/onus -run '^TestBrowser$$' -args -pictures "$(CURDIR)/docs/pictures"

# The quick ones: what a change to the way of a record shows in first, then Onus
# alone under load. All benchmarks of a package: go test -run '^$$' -bench . ./web/desk
# They are built without cgo, as what is shipped: with it Pebble takes its memory
# from C.
.PHONY: bench
bench: build-bench ## Measure for a few minutes: the Go benchmarks that matter most, then Onus under load
	CGO_ENABLED=0 go test -run '^$$' -bench . -benchtime 0.5s -benchmem ./ledger ./ledger/rpc ./verifier/record
	@cd bench && ../bin/bench peers -systems onus,onus-twice -rounds 1 -seconds 3 $(BENCH)

# Figures that are shown to others: a module of its own, since it needs the peers
# themselves. Give it an idle machine; bench/README.md has the flags:
#   make bench-peers BENCH='-submitters 1,64 -seconds 2'
BENCH ?=

.PHONY: build-bench
build-bench:
	@go -C bench vet ./...
	@CGO_ENABLED=0 go -C bench build -ldflags '-X main.version=$(VERSION)' -o ../bin/bench .

.PHONY: bench-peers
bench-peers: build-bench ## Run Onus beside Tessera, immudb and PostgreSQL: a table and a plot in bench/results
	@cd bench && ../bin/bench peers $(BENCH)

.PHONY: bench-growth
bench-growth: build-bench ## Grow ledgers to 5 million entries and measure on the way: about an hour, and 25 GB of disk
	@cd bench && ../bin/bench growth $(BENCH)

.PHONY: bench-rpc
bench-rpc: build-bench ## Run Onus over RPC: calls, batches and a stream beside a call that does nothing
	@cd bench && ../bin/bench rpc $(BENCH)

.PHONY: bench-overload
bench-overload: build-bench ## Offer a ledger ten times what it can take
	@cd bench && ../bin/bench overload $(BENCH)

.PHONY: generate
generate: ## Generate gen/ from proto/
	$(BUF) generate

.PHONY: check
check: check-format check-lint check-proto check-imports check-tree ## Hold the sources to the rules of the house

.PHONY: check-format
check-format:
	@echo "check: gofmt"
	@bad=$$(gofmt -l .); test -z "$$bad" || { echo "not formatted, run gofmt -w on: $$bad"; exit 1; }

.PHONY: check-lint
check-lint:
	@echo "check: go vet"
	@go vet ./...
	@echo "check: staticcheck"
	@$(TOOL) staticcheck ./...

# gen/ is generated anew beside the work tree and compared, so that a check
# changes nothing.
.PHONY: check-proto
check-proto:
	@echo "check: buf lint"
	@$(BUF) lint
	@echo "check: gen/ is what proto/ generates"
	@tmp=$$(mktemp -d); trap 'rm -rf "$$tmp"' EXIT; $(BUF) generate -o "$$tmp"; \
	diff -r "$$tmp/gen" gen || { echo "gen/ is not what proto/ generates: run make generate"; exit 1; }
	@if git rev-parse --verify --quiet '$(AGAINST)^{commit}' >/dev/null 2>&1; then \
		echo "check: buf breaking against $(AGAINST)"; \
		$(BUF) breaking --against "$$(git rev-parse --absolute-git-dir)#ref=$(AGAINST)"; \
	else \
		echo "check: buf breaking NOT CHECKED: no commit to compare with here"; \
	fi

.PHONY: check-imports
check-imports:
	@echo "check: who imports whom"
	@go test -count=1 .

# Binary files are told by git's own reading of them. Test vectors may be
# binary; programs and archives may not.
.PHONY: check-tree
check-tree:
	@echo "check: go.mod is tidy"
	@go mod tidy -diff
	@if git rev-parse --git-dir >/dev/null 2>&1; then \
		echo "check: no binaries are committed"; \
		empty=$$(git hash-object -t tree /dev/null); \
		bad=$$(git diff --cached --no-renames --numstat "$$empty" -- . ':(exclude,glob)**/testdata/**' | awk -F '\t' '$$1 == "-" {print $$3}'); \
		test -z "$$bad" || { echo "binary files are committed: $$bad"; exit 1; }; \
	else \
		echo "check: committed binaries NOT CHECKED: not a git work tree"; \
	fi

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin
	find web/wasm -type f ! -name README.md -delete
