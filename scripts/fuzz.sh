#!/bin/sh
# Runs every fuzz target for SECONDS each; the ordinary tests replay the corpus.
# Usage: scripts/fuzz.sh SECONDS
set -eu
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
seconds=${1:?usage: scripts/fuzz.sh SECONDS}
cd "$root"

[ -e fuzz/Cargo.toml ] || die "there are no fuzz targets: fuzz/Cargo.toml is missing"
# A nightly compiler adds the address sanitizer; the stable one fuzzes with coverage alone.
if cargo +nightly --version >/dev/null 2>&1; then
    fuzz() { cargo +nightly fuzz "$@"; }
    sanitizer=address
else
    fuzz() { RUSTC_BOOTSTRAP=1 cargo fuzz "$@"; }
    sanitizer=none
fi
cargo fuzz --version >/dev/null 2>&1 || cargo install cargo-fuzz --locked
targets=$(fuzz list)
[ -n "$targets" ] || die "fuzz/Cargo.toml names no target"
for target in $targets; do
    say "fuzzing $target for $seconds s"
    # What is found goes to the first directory; the corpus beside it is only read.
    found=fuzz/target/found/$target
    mkdir -p -- "$found"
    fuzz run --sanitizer "$sanitizer" "$target" "$found" "fuzz/corpus/$target" -- \
        -max_total_time="$seconds" -rss_limit_mb=2048 -print_final_stats=1
done
