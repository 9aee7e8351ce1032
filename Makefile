# Every target does the set-up it needs; a second run finds it done.
# One build serves demo, test and test-matrix: the dev profile, the whole workspace, no RUSTFLAGS.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo test test-full test-matrix lint doc-test python-test wheel fuzz fuzz-replay valgrind bench bench-stages bench-compare bench-backup bench-catalog bench-migrate bench-python

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

CARGO ?= cargo
WORKSPACE := --workspace --exclude opskit-py
TARGET_DIR := $(abspath $(or $(CARGO_TARGET_DIR),target))
TEST_REQUIREMENTS := tests/python/requirements.txt
BENCH_REQUIREMENTS := benches/requirements.txt
# Selected together in both steps, so that they share one build.
BENCH_PACKAGES := -p opskit-cli -p opskit-benches
BENCH_OPTIONS ?=
CATALOG_OPTIONS ?=
MIGRATE_OPTIONS ?=
FUZZ_SECONDS ?= 60

export OPSKIT_BIN := $(TARGET_DIR)/debug/opskit

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

setup: ## Everything the tests need: server programs, tools, a Python environment
	scripts/system.sh cc openssl pgbouncer
	scripts/postgres.sh
	scripts/venv.sh $(TEST_REQUIREMENTS)
	command -v npm >/dev/null || scripts/system.sh npm
	scripts/azurite.sh
	scripts/regress.sh

demo: ## Backup, accident, restore and drill on throw-away servers; the files stay in target/demo
	scripts/system.sh cc
	scripts/postgres.sh
	$(CARGO) build $(WORKSPACE) --bins
	rm -rf -- "$(TARGET_DIR)/demo"
	$(OPSKIT_BIN) demo --keep "$(TARGET_DIR)/demo"

test: setup lint ## Everything that must hold on every change
	$(CARGO) build $(WORKSPACE) --bins --examples
	OPSKIT_TEST_PYTHON="$$(scripts/venv.sh $(TEST_REQUIREMENTS))/bin/python" \
	    OPSKIT_TEST_AZURITE="$$(scripts/azurite.sh)" OPSKIT_TEST_REGRESS="$$(scripts/regress.sh)" scripts/run-tests.sh all
	$(MAKE) doc-test python-test

test-full: export OPSKIT_TEST_FULL := 1
test-full: export NEXTEST_PROFILE := full
test-full: test valgrind fuzz ## The same at full size, then valgrind and the fuzz targets

test-matrix: setup ## The integration tests on PostgreSQL 13 to 18
	$(CARGO) build $(WORKSPACE) --bins --examples
	OPSKIT_TEST_PYTHON="$$(scripts/venv.sh $(TEST_REQUIREMENTS))/bin/python" \
	    OPSKIT_TEST_AZURITE="$$(scripts/azurite.sh)" OPSKIT_TEST_REGRESS="$$(scripts/regress.sh)" scripts/test-matrix.sh

lint: ## Formatting, clippy, rustdoc; every warning is an error
	scripts/system.sh cc
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps
	@if command -v shellcheck >/dev/null; then shellcheck -x scripts/*.sh .ci/run; else echo "shellcheck is not installed: skipped"; fi

doc-test: ## The examples in the documentation
	$(CARGO) test $(WORKSPACE) --doc

python-test: ## The wheel in an environment of its own, and all tests written in Python
	scripts/system.sh cc
	scripts/python-tests.sh "$(TARGET_DIR)/python" $(TEST_REQUIREMENTS)

wheel: ## The Python package, built for speed, in target/wheels
	scripts/system.sh cc
	scripts/wheel.sh "$(TARGET_DIR)/wheels" release

fuzz: ## Each fuzz target for FUZZ_SECONDS (60); a nightly compiler adds the address sanitizer
	scripts/system.sh cc
	scripts/fuzz.sh $(FUZZ_SECONDS)

fuzz-replay: ## Only the tests that replay the fuzz corpus
	scripts/run-tests.sh all fuzz_replay

valgrind: ## The decoder's tests, unsafe lines included, under valgrind
	scripts/system.sh cc valgrind
	scripts/valgrind.sh export:: testing::fuzz

bench: bench-stages bench-compare bench-backup bench-catalog bench-migrate bench-python ## Benchmarks of each stage, then the comparisons with other tools

bench-stages: ## Benchmarks of each stage alone
	scripts/system.sh cc
	scripts/postgres.sh
	$(CARGO) bench $(BENCH_PACKAGES) --bench '*'

bench-compare: ## The comparison alone; BENCH_OPTIONS="--keep DIR --rounds 7"
	scripts/system.sh cc
	scripts/postgres.sh
	$(CARGO) build --release $(BENCH_PACKAGES) --bins
	"$$(scripts/venv.sh $(BENCH_REQUIREMENTS))/bin/python" benches/compare/compare.py run $(BENCH_OPTIONS)

bench-backup: ## Backup and restore beside pg_dump and pg_restore; BENCH_OPTIONS as for bench-compare
	scripts/system.sh cc
	scripts/postgres.sh
	$(CARGO) build --release $(BENCH_PACKAGES) --bins
	"$$(scripts/venv.sh $(BENCH_REQUIREMENTS))/bin/python" benches/compare/backup.py $(BENCH_OPTIONS)

bench-catalog: ## Reading the catalog of 10,000 tables against pg_dump; CATALOG_OPTIONS="--keep DIR --rounds 7"
	scripts/system.sh cc
	scripts/postgres.sh
	$(CARGO) build --release $(BENCH_PACKAGES) --bins
	"$$(scripts/venv.sh $(BENCH_REQUIREMENTS))/bin/python" benches/compare/catalog.py $(CATALOG_OPTIONS)

bench-python: ## The Python package beside ADBC, connector-x and DuckDB; BENCH_OPTIONS="--keep DIR --rounds 7"
	scripts/system.sh cc
	scripts/postgres.sh
	$(CARGO) build --release -p opskit-benches --bins
	scripts/python-bench.sh "$(TARGET_DIR)/python-bench" $(BENCH_REQUIREMENTS) benches/compare/python.py $(BENCH_OPTIONS)

bench-migrate: ## 500 small migrations beside sqlx; MIGRATE_OPTIONS="--keep DIR --rounds 7"
	scripts/system.sh cc
	scripts/postgres.sh
	$(CARGO) build --release -p opskit-cli -p opskit-tests --bins
	"$$(scripts/venv.sh $(BENCH_REQUIREMENTS))/bin/python" benches/compare/migrate.py $(MIGRATE_OPTIONS)
