#!/bin/sh
# Makes Azurite available, a server that speaks as Azure Blob Storage does; prints the program.
# It comes from the npm package of that name.
set -eu
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"

version=3.37.0
command -v node >/dev/null 2>&1 || die "node is needed to run azurite: install the package nodejs"
cache=$(cache_dir)
place=$cache/azurite-$version
if [ ! -e "$place/complete" ]; then
    command -v npm >/dev/null 2>&1 || die "npm is needed to fetch azurite: install the package npm"
    say "fetching azurite $version"
    rm -rf -- "$place"
    mkdir -p -- "$place"
    (cd "$place" && npm install --silent --no-audit --no-fund --omit=dev "azurite@$version" >"$place/log" 2>&1) ||
        die "npm could not fetch azurite: $(cat "$place/log")"
    : >"$place/complete"
fi
printf '%s\n' "$place/node_modules/.bin/azurite-blob"
