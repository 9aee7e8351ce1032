#!/bin/sh
# Runs every fuzz target for SECONDS each. Without a nightly compiler it says so and does nothing more:
# the ordinary tests replay the corpus on any compiler.
# Usage: scripts/fuzz.sh SECONDS
set -eu
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
seconds=${1:?usage: scripts/fuzz.sh SECONDS}
cd "$root"

[ -e fuzz/Cargo.toml ] || die "there are no fuzz targets: fuzz/Cargo.toml is missing"
if ! cargo +nightly --version >/dev/null 2>&1; then
    say "SKIPPED: fuzzing needs a nightly compiler (rustup toolchain install nightly)"
    exit 0
fi
cargo fuzz --version >/dev/null 2>&1 || cargo install cargo-fuzz --locked
targets=$(cargo +nightly fuzz list)
[ -n "$targets" ] || die "fuzz/Cargo.toml names no target"
for target in $targets; do
    say "fuzzing $target for $seconds s"
    cargo +nightly fuzz run "$target" -- -max_total_time="$seconds" -rss_limit_mb=2048
done
