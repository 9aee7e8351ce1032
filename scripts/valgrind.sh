#!/bin/sh
# Runs the library's unit tests whose name contains one of the NAMEs under valgrind; any invalid access fails it.
# Usage: scripts/valgrind.sh NAME…
set -eu
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
[ $# -gt 0 ] || die "usage: scripts/valgrind.sh NAME…"
cd "$root"
cargo=${CARGO:-cargo}

host=$(rustc -vV | sed -n 's/^host: //p')
runner=CARGO_TARGET_$(printf '%s' "$host" | tr 'a-z-' 'A-Z_')_RUNNER
log=$(mktemp)
trap 'rm -f -- "$log"' EXIT
status=0
env "$runner=valgrind --quiet --error-exitcode=99 --leak-check=no" \
    "$cargo" test --workspace --exclude opskit-py --lib -- "$@" >"$log" 2>&1 || status=$?
cat "$log"
[ "$status" -eq 0 ] || die "valgrind or a test under it failed"
ran=$(awk '/^test result:/ { sum += $4 } END { print sum + 0 }' "$log")
[ "$ran" -gt 0 ] || die "no test whose name contains one of $* ran under valgrind"
say "$ran tests ran clean under valgrind"
