#!/bin/sh
# Builds the wheel of the Python package into DIRECTORY and prints its path.
# Usage: scripts/wheel.sh DIRECTORY [PROFILE]      (PROFILE: dev, which shares the build of the tests, or release)
set -eu
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
out=${1:?usage: scripts/wheel.sh DIRECTORY [PROFILE]}
profile=${2:-dev}

venv=$("$root/scripts/venv.sh" "$root/opskit-py/requirements-build.txt")
rm -rf -- "$out"
mkdir -p -- "$out"
out=$(CDPATH='' cd -- "$out" && pwd)
# The wheel is for this machine: which libraries it may need elsewhere is for a release to check.
"$venv/bin/maturin" build --quiet --manifest-path "$root/opskit-py/Cargo.toml" \
    --profile "$profile" --compatibility linux --interpreter "$venv/bin/python" --out "$out" >&2
set -- "$out"/*.whl
[ -e "$1" ] || die "maturin left no wheel in $out"
printf '%s\n' "$1"
