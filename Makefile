# kubecrate: everything a developer does. `make help` prints the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

VERSION   := $(shell git describe --always --dirty --tags 2>/dev/null || echo unknown)
LDFLAGS   := -s -w -X kubecrate/pkg/version.stamp=$(VERSION) -X kubecrate/pkg/version.date=$(shell git log -1 --format=%cs 2>/dev/null)
GOBUILD   := CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "$(LDFLAGS)"
PLATFORMS := linux/amd64 linux/arm64
COMMANDS  := bundle install
TOOLS     := $(CURDIR)/bin/tools
GOLANGCI  := v2.15.0
VULNCHECK := v1.9.0
FUZZTIME  ?= 30s
SOAKTIME  ?= 10m
BENCHTIME ?= 1s
VULN      ?= auto

.PHONY: help build dist test lint fmt vet golangci vuln bench bench-go demo bundle e2e soak fuzz clean

help: ## print this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

build: $(COMMANDS:%=bin/%) ## bin/bundle and bin/install for this machine, static
	@ls -l $^

bin/%: FORCE
	@$(GOBUILD) -o $@ ./cmd/$*

dist: ## bin/COMMAND-OS-ARCH of every platform
	@for p in $(PLATFORMS); do for c in $(COMMANDS); do \
	  out=bin/$$c-$${p%/*}-$${p#*/}; \
	  GOOS=$${p%/*} GOARCH=$${p#*/} $(GOBUILD) -o $$out ./cmd/$$c; ls -l $$out; \
	done; done

test: ## unit tests: no root, no network beyond the module proxy
	go test ./...

lint: fmt vet golangci vuln ## gofmt, go vet, golangci-lint and govulncheck

fmt:
	@bad=$$(gofmt -l cmd manifest pkg test); \
	if [ -n "$$bad" ]; then echo "not formatted (gofmt -w fixes it):"; echo "$$bad"; exit 1; fi

vet:
	go vet ./...
	go vet -tags e2e ./test/...
	GOOS=darwin go vet ./cmd/bundle

# A tool is built once: the stamp carries its version and the compiler's.
GOVERSION := $(shell go env GOVERSION)

$(TOOLS)/golangci-lint-$(GOLANGCI)-$(GOVERSION).stamp:
	@mkdir -p $(TOOLS) && rm -f $(TOOLS)/golangci-lint-*.stamp
	GOBIN=$(TOOLS) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI)
	@touch $@

$(TOOLS)/govulncheck-$(VULNCHECK)-$(GOVERSION).stamp:
	@mkdir -p $(TOOLS) && rm -f $(TOOLS)/govulncheck-*.stamp
	GOBIN=$(TOOLS) go install golang.org/x/vuln/cmd/govulncheck@$(VULNCHECK)
	@touch $@

golangci: $(TOOLS)/golangci-lint-$(GOLANGCI)-$(GOVERSION).stamp
	$(TOOLS)/golangci-lint run ./...

vuln: $(TOOLS)/govulncheck-$(VULNCHECK)-$(GOVERSION).stamp ## known vulnerabilities; VULN=require fails where the database is out of reach
	@VULN=$(VULN) .ci/vulncheck $(TOOLS)/govulncheck ./...

bench-go: ## the Go benchmarks of the packages
	go test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) ./manifest/... ./pkg/...

bench: build bench-go ## bench-go, then bundle against skopeo + zstd on real images (BENCHFLAGS=-help lists the sections)
	CGO_ENABLED=0 go build -trimpath -o bin/bench ./test/bench
	bin/bench -bundle bin/bundle $(BENCHFLAGS)

demo: build ## the whole way on an embedded mirror: no network, no root
	bin/bundle demo

bundle: build ## the default bundle into dist/
	bin/bundle build -o dist

e2e: build ## real servers, stock tools: see test/e2e
	test/e2e/setup
	go test -tags e2e -count 1 -timeout 70m -v ./test/e2e/...

soak: build ## kill builds at random moments for SOAKTIME, then compare; three masters, one of them lost
	test/e2e/setup
	KUBECRATE_SOAK=$(SOAKTIME) go test -tags e2e -count 1 -timeout 0 -v -run '^(TestSoak|TestSoakKills|TestSoakMasterKills|TestMasters)$$' ./test/e2e/...

fuzz: ## every fuzz target for FUZZTIME
	@for pkg in $$(go list ./...); do \
	  for f in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "== $$pkg $$f $(FUZZTIME)"; \
	    go test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x $$pkg; \
	  done; \
	done

clean: ## remove what was built, tools included
	rm -rf bin dist

FORCE:
