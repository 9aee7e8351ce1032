#!/bin/sh
# Makes the SQL of PostgreSQL's regression tests available; prints its directory.
# It comes with the source of pglast, the parser that it is compared with, in the version of the tests' requirements.
set -eu
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"

version=$(sed -n 's/^pglast==//p' "$root/tests/python/requirements.txt")
[ -n "$version" ] || die "tests/python/requirements.txt names no version of pglast"
cache=$(cache_dir)
place=$cache/regress-$version
if [ ! -e "$place/complete" ]; then
    say "fetching the source of pglast $version"
    rm -rf -- "$place"
    mkdir -p -- "$place"
    python=$("$root/scripts/venv.sh" "$root/tests/python/requirements.txt")/bin/python
    "$python" -m pip download --quiet --no-deps --no-binary pglast --dest "$place" "pglast==$version" >"$place/log" 2>&1 ||
        die "pip could not fetch pglast: $(cat "$place/log")"
    tar -xzf "$place/pglast-$version.tar.gz" -C "$place" --strip-components 5 --wildcards '*/test/sql/postgres_regress/*.sql'
    : >"$place/complete"
fi
printf '%s\n' "$place"
