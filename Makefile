# The project's commands. `make` lists them; what stands after ## is the list's text.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# Tools, pinned. They are fetched through the Go module proxy and kept in Go's build cache; nothing is installed.
GOLANGCI := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOFUMPT := go run mvdan.cc/gofumpt@v0.12.0
GOVULNCHECK := go run golang.org/x/vuln/cmd/govulncheck@v1.8.0

# All that is built here is built in one way, so that the check compiles it once: apart from the race detector, which wants the other.
export GOFLAGS += -trimpath
export CGO_ENABLED := 0

# The tests of all packages share one PostgreSQL server.
SHARED := go run ./tests/oneserver

# What runs side by side is tested with the race detector too: all of the packages that are goroutines and locks, of the others those tests
# in which many do something at once, and of the whole program those in which people sign while its workers mail, pages are read while it
# sends, or it starts and stops. What only shares a database is not here: the detector does not see what happens there.
SIDE_BY_SIDE := campaigns/abuse campaigns/groupcommit campaigns/jobs campaigns/vault campaigns/today models/database app/web
AT_ONCE := -run 'AtOnce|Once|Together|Thousand|Pressure|Nodes|Graceful|Fence|Connections|Overtakes|SameTime|Breaker|Job|Chunks|Pool|Memory|Clicks|Scheduled|Watch|Archive|Outcomes' \
	./campaigns/deliveries ./campaigns/exports ./campaigns/mailings ./campaigns/petitions ./campaigns/rosters ./campaigns/supporters ./mailer
WHOLE := -run 'Sign|Code|Unsubscribe|Stop|Metrics|Exposition|DemoInAFolder' ./app ./app/public
RACE = $(sort $(dir $(wildcard $(patsubst %,./%/*.go,$(SIDE_BY_SIDE)))))

FUZZTIME ?= 20s
BENCHTIME ?= 2s
MAXSIZE := 62914560

GOFILES = $$(find . -name '*.go' -not -path './.git/*')
step = @printf '\n== %s\n' "$(1)"

.PHONY: help run demo build test test-all race lint fmt fmt-check vet generate vulnerabilities check bench bench-parts bad-tuesday fuzz

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## serve with what is in ./data, on 127.0.0.1:8080
	go run . serve

demo: ## serve the sample world, on 127.0.0.1:8080
	go run . demo

build: ## build ./bin/kithline: one static file, 60 MiB at most (docs/adr/0014)
	$(call step,build)
	go build -ldflags '-s -w' -o bin/kithline .
	@size=$$(wc -c < bin/kithline); echo "bin/kithline: $$size bytes"; \
	if [ "$$size" -gt $(MAXSIZE) ]; then echo "The binary is larger than $(MAXSIZE) bytes."; exit 1; fi

test: ## run every test; PostgreSQL and a browser are used where they are found
	go test ./...

# Test programs are linked without what a debugger wants, which takes a third of the time.
QUICK := -vet=off -ldflags '-s -w'

test-all: ## run every test; a missing PostgreSQL, browser or dkimpy is a failure
	$(call step,test)
	KITHLINE_TEST_POSTGRES=required KITHLINE_TEST_BROWSER=required KITHLINE_TEST_DKIMPY=required $(SHARED) go test $(QUICK) -count=1 -timeout 18m ./...

# SQLite is C made into Go, which the detector cannot judge and makes ten times as slow: it looks at what calls it.
NOT_RACED := -gcflags=modernc.org/sqlite/lib=-race=false -gcflags=modernc.org/libc/...=-race=false

RACED = go test -race $(NOT_RACED) $(QUICK) -short -count=1 -timeout 18m

race: ## run the shorter tests of what runs side by side with the race detector
	$(call step,race detector)
	$(SHARED) env CGO_ENABLED=1 sh -c "$(RACED) $(RACE) && $(RACED) $(AT_ONCE) && $(RACED) $(WHOLE)"

lint: ## look for mistakes and for what is not in the house style
	$(call step,lint)
	$(GOLANGCI) run ./...

fmt: ## format the code
	$(GOFUMPT) -w $(GOFILES)

fmt-check:
	$(call step,format)
	@wrong=$$($(GOFUMPT) -l $(GOFILES)); \
	if [ -n "$$wrong" ]; then printf 'Not formatted; run "make fmt":\n%s\n' "$$wrong"; exit 1; fi; echo "all formatted"

vet:
	$(call step,vet)
	go vet ./...

generate: ## write what is generated: docs/configuration.md, docs/exports.md and docs/open-figures.md
	go test ./config -run TestConfigurationPageIsCurrent -update -count=1
	go test ./campaigns/exports -run TestDocsAreCurrent -update -count=1
	go test ./campaigns/petitions -run TestOpenFiguresPageIsCurrent -update -count=1

vulnerabilities: ## look for known vulnerabilities in what is linked
	$(call step,known vulnerabilities)
	@log=$$(mktemp); trap 'rm -f "$$log"' EXIT; \
	if $(GOVULNCHECK) ./... > "$$log" 2>&1; then tail -n 3 "$$log"; \
	elif grep -q 'Your code is affected by' "$$log"; then cat "$$log"; exit 1; \
	else echo "NOT CHECKED: the tool or the vulnerability database cannot be had from here:"; head -n 3 "$$log"; fi

check: fmt-check lint build test-all race vulnerabilities ## everything that must pass before a change is taken

bench: ## measure size, start, memory, viewing and signing beside their limits; BENCH="-short -only sign" for less
	go run ./tests/bench $(BENCH)

bench-parts: ## run the benchmarks of single functions, BENCHTIME (2s) each
	go test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) -count=1 -timeout 30m ./...

bad-tuesday: ## play 1,000 mornings of an advocacy day on which many cannot come, and report; BAD="-seeds 100" for fewer
	go run ./tests/badtuesday $(BAD)

fuzz: ## run every fuzz test for FUZZTIME (20s)
	@grep -rlE '^func Fuzz' --include='*_test.go' . | while read -r file; do \
		for name in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$$file"); do \
			echo "== $$name in $$(dirname "$$file")"; \
			go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$(dirname "$$file")" < /dev/null; \
		done; \
	done
