#!/bin/sh
# Runs the Rust tests with nextest, or with `cargo test` where nextest is not installed; fails when no test ran.
# Usage: scripts/run-tests.sh all|integration [NAME]      (NAME: only tests whose name contains it)
set -eu
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
scope=${1:?usage: scripts/run-tests.sh all|integration [NAME]}
name=${2:-}
cd "$root"
cargo=${CARGO:-cargo}

# The whole workspace is selected in each case, so that every run shares one set of features and one build.
with_nextest() {
    set -- --workspace --exclude opskit-py --no-tests=fail
    [ "$scope" = all ] || set -- "$@" -E 'package(opskit-tests)'
    [ -z "$name" ] || set -- "$@" "$name"
    "$cargo" nextest run "$@"
}

with_cargo_test() {
    say "cargo-nextest is not installed: using cargo test"
    set -- --workspace --exclude opskit-py
    [ "$scope" = all ] || set -- -p opskit-tests
    log=$(mktemp)
    failed=$(mktemp)
    { "$cargo" test "$@" --no-fail-fast --lib --bins --tests --examples -- ${name:+"$name"} || echo yes >"$failed"; } | tee "$log"
    ran=$(awk '/^test result:/ { sum += $4 + $6 } END { print sum + 0 }' "$log")
    status=0
    [ ! -s "$failed" ] || status=1
    rm -f -- "$log" "$failed"
    [ "$ran" -gt 0 ] || die "no test ran"
    return "$status"
}

if "$cargo" nextest --version >/dev/null 2>&1; then
    with_nextest
else
    with_cargo_test
fi
