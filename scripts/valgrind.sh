#!/bin/sh
# Runs the library's unit tests whose name contains NAME under valgrind; any invalid access fails it.
# Usage: scripts/valgrind.sh NAME
set -eu
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
name=${1:?usage: scripts/valgrind.sh NAME}
cd "$root"
cargo=${CARGO:-cargo}

host=$(rustc -vV | sed -n 's/^host: //p')
runner=CARGO_TARGET_$(printf '%s' "$host" | tr 'a-z-' 'A-Z_')_RUNNER
log=$(mktemp)
trap 'rm -f -- "$log"' EXIT
status=0
# Property tests run a few cases only: valgrind makes each some fifty times slower.
env "$runner=valgrind --quiet --error-exitcode=99 --leak-check=no" PROPTEST_CASES=8 \
    "$cargo" test --workspace --exclude opskit-py --lib -- "$name" >"$log" 2>&1 || status=$?
cat "$log"
[ "$status" -eq 0 ] || die "valgrind or a test under it failed"
ran=$(awk '/^test result:/ { sum += $4 } END { print sum + 0 }' "$log")
[ "$ran" -gt 0 ] || die "no test whose name contains $name ran under valgrind"
say "$ran tests ran clean under valgrind"
