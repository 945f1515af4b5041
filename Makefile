# The commands of this project; `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test unit live test-more test-vllm test-clients test-bootstrap test-native test-hosts test-gateway test-metrics test-faults bench lint fmt deny lab lab-down clean-demo

LAB := tests/lab/lab
SUITES := $(patsubst tests/%.rs,%,$(wildcard tests/*.rs)) $(patsubst tests/%/main.rs,%,$(wildcard tests/*/main.rs))
UNIT := --lib $(addprefix --test ,$(filter-out live live_%,$(SUITES)))
LIVE := --test live --test live_link
# Live tests mostly wait, for servers or for the one host that is cut off and restarted: more at a time than there are cores.
export RUST_TEST_THREADS ?= 6

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## The whole way on lab hosts made here: deploy two models and a gateway, ask one question
	@tests/demo

test: lab ## The tests, those on real hosts too (makes the lab first); the targets below have what takes longer
	cargo test --locked --quiet --no-run $(UNIT) $(LIVE)
	@$(MAKE) --no-print-directory --jobs 2 --output-sync unit live

unit: ## The tests that need no hosts
	cargo test --locked --quiet $(UNIT)

live: lab ## The tests on real hosts only
	cargo test --locked --quiet $(LIVE)

# A gateway takes ten seconds of a core to start: what starts several is asked for by name.
MORE := $(shell grep -A1 -rh 'make test-more' tests/live | sed -n 's/^fn \([a-z_]*\).*/\1/p')

test-more: lab ## Further tests on real hosts (4 minutes)
	cargo test --locked --test live -- $(MORE) --ignored

bench: ## Measure beside Ansible, pyinfra and Compose on the lab; writes docs/benchmarks.md (about 20 minutes)
	benches/run

test-vllm: ## The tests with the real vLLM on CPUs (11 minutes; the first time 5 more for an image of 3 GB)
	@$(LAB) up --pull --with vllm
	RUST_TEST_THREADS=1 cargo test --locked --test live_vllm -- --ignored

test-clients: lab ## Claude Code, opencode and Codex from npm (1.2 GB) through the gateway, with what homelab clients wrote
	HOMELAB_CLIENTS="$$(tests/tools/clients)" RUST_TEST_THREADS=1 cargo test --locked --test live_clients -- --ignored

test-metrics: lab ## Every query of every dashboard, asked of a Prometheus that real servers feed (3 minutes)
	RUST_TEST_THREADS=1 cargo test --locked --test live -- metrics:: --ignored

test-bootstrap: ## From bare Debian 12 and 13 with systemd to answering models (4 minutes)
	@$(LAB) up --with bare
	RUST_TEST_THREADS=1 cargo test --locked --test live -- bootstrap:: --ignored

test-hosts: lab ## Hosts that sleep, are woken, restart and come back (5 minutes)
	@$(LAB) up --with bare
	RUST_TEST_THREADS=1 cargo test --locked --test live -- absent:: reboots:: --include-ignored

test-gateway: lab ## What stands in and how fast; 1,000 requests through the edge while all behind it is replaced (25 minutes)
	HOMELAB_TEST_LIMIT=900 RUST_TEST_THREADS=1 cargo test --locked --test live -- edge:: fallbacks:: --ignored --show-output

test-native: ## Models that a bare Debian 13 runs by itself, with systemd, and as what passes for a Mac (10 minutes)
	@$(LAB) up --with bare
	RUST_TEST_THREADS=1 cargo test --locked --test live -- native:: mac:: --ignored

test-faults: lab ## What befalls a deploy, all of it (about an hour); writes docs/reliability.md
	@test -e /usr/lib/*/faketime/libfaketime.so.1 || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qqy faketime >/dev/null; }
	PROPTEST_CASES=20000 cargo test --locked --test properties
	RUST_TEST_THREADS=2 cargo test --locked --test live -- faults:: locks:: interrupted:: refusals:: prefetch:: --include-ignored --show-output 2>&1 | tee target/faults.log | grep -E '^(test |survived )|panicked'
	@tests/tools/fault_table target/faults.log docs/reliability.md

lint: ## Formatting, clippy, the workflows
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	"$$(tests/tools/venv workflows)/bin/zizmor" --offline --quiet .github/workflows

fmt: ## Format the code
	cargo fmt

deny: ## What may be in the dependency tree
	cargo deny check bans licenses sources

lab: ## Make the lab, or make it whole again
	@$(LAB) up --pull

lab-down: ## Stop the lab; images stay cached
	@$(LAB) down

clean-demo: ## Take the demo down and forget its inventory
	@tests/demo --down
