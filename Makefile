# Every target works in a fresh checkout: it brings the tools that it needs (hack/parts.sh) before it uses them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

XDG_CACHE_HOME ?= $(HOME)/.cache
BONGSU_CACHE ?= $(XDG_CACHE_HOME)/bongsu
PARTS_BIN := $(BONGSU_CACHE)/parts/bin
# Outside the checkout, so that two checkouts share what they have compiled and no archive of one carries it along.
CARGO_TARGET_DIR ?= $(BONGSU_CACHE)/target
# Kubernetes' convention for the directory of kube-apiserver, kubectl and etcd; set it to use other ones.
KUBEBUILDER_ASSETS ?= $(PARTS_BIN)
PATH := $(PARTS_BIN):$(PATH)
export BONGSU_CACHE CARGO_TARGET_DIR KUBEBUILDER_ASSETS PATH

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: ## Run three simulated data centers: a failover, then a drill with its report; options by ARGS="..."
	@hack/parts.sh -q compiler rust
	@cargo run --release -q -- demo --report-dir "$$(mktemp -d)" $(ARGS)

.PHONY: demo-drill
demo-drill: ## Run a live drill in three simulated data centers
	@hack/parts.sh -q compiler rust
	@cargo run --release -q -- demo --drill $(ARGS)

.PHONY: test
test: ## Run all tests, on a real API server, etcd and name servers
	@hack/parts.sh test
	@cargo test --profile explore --lib --locked -- --ignored sim::
	@cargo test --workspace --locked

.PHONY: test-sites
test-sites: ## Lose data centers in every way, also the long ones: three sites in networks of their own; one by ARGS=NAME
	@hack/parts.sh -q test
	@previous=$$(hack/previous.sh); BONGSU_PREVIOUS=$$previous cargo test --locked --test sites -- --include-ignored $(ARGS)

.PHONY: explore
explore: ## Look for broken invariants: RUNS=… (can be stopped, goes on where it was), SEED=…
	@hack/parts.sh -q compiler rust
	@cargo run --profile explore --locked -q -- simulate --runs $(or $(RUNS),10000) --seed $(or $(SEED),0) --shrink \
	  --state '$(BONGSU_CACHE)/explore-$(or $(SEED),0).json'

.PHONY: explore-tests
explore-tests: ## Test that exploration finds planted bugs: minutes, in an optimised build
	@hack/parts.sh -q compiler rust
	@cargo test --profile explore --lib --locked -- --ignored sim::

.PHONY: fuzz
fuzz: ## Fuzz the parsers of what comes from the network: FUZZ_SECONDS=60 for each; one by ARGS=NAME
	@hack/parts.sh -q fuzz
	@FUZZ_SECONDS='$(or $(FUZZ_SECONDS),60)' hack/fuzz.sh $(ARGS)

.PHONY: build-tests
build-tests: # .ci/run builds first, so that compiling and testing have times of their own
	@hack/parts.sh -q compiler rust
	@cargo build --workspace --bins --tests --locked

.PHONY: bench
bench: ## Run the benchmarks
	@hack/parts.sh -q compiler rust
	@cargo bench --locked

.PHONY: lint
lint: fmt-check clippy drift deny helm-lint ## Run every check that is not a test

.PHONY: fmt-check
fmt-check: ## Check the formatting
	@hack/parts.sh -q rust
	@cargo fmt --check

.PHONY: clippy
clippy: ## Check with clippy; a warning is an error
	@hack/parts.sh -q compiler rust
	@cargo clippy --workspace --all-targets --locked -- -D warnings

.PHONY: drift
drift: ## Check that the generated files are what the code says
	@hack/parts.sh -q compiler rust
	@hack/generate.sh --check

.PHONY: deny
deny: ## Check licences, sources and advisories of the dependencies
	@hack/parts.sh -q compiler rust cargo-deny
	@hack/deny.sh

.PHONY: helm-lint
helm-lint: ## Check the Helm chart
	@hack/parts.sh -q helm
	@helm lint --strict charts/bongsu

.PHONY: generate
generate: ## Write the CRDs, their copy in the chart, docs/reference.md and the schema of reports
	@hack/parts.sh -q compiler rust
	@hack/generate.sh

.PHONY: image
image: ## Build the container image; OUT=FILE also saves it to an archive
	@OUT='$(OUT)' hack/image.sh

.PHONY: parts
parts: ## Build or install what tests and checks run
	@hack/parts.sh

.PHONY: clean-parts
clean-parts: ## Remove what `make parts` built
	rm -rf '$(BONGSU_CACHE)/parts'
