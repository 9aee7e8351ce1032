#!/bin/sh
# Makes a Python environment with the packages of the given requirement files and prints its directory.
# Usage: scripts/venv.sh FILE…      The environment is named after what is in it, so a second call is free.
#        scripts/venv.sh --fresh DIRECTORY PACKAGE…      Makes one anew, with these packages and nothing of an index.
set -eu
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
[ $# -gt 0 ] || die "usage: scripts/venv.sh REQUIREMENTS… | --fresh DIRECTORY PACKAGE…"

python=${PYTHON:-python3}
command -v "$python" >/dev/null 2>&1 || die "$python not found; install Python 3.10 or newer"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || die "$python is too old; 3.10 or newer is needed"

# Debian may ship Python without ensurepip: then the pip outside helps, and at last the package manager.
make_venv() {
    "$python" -m venv "$venv" >/dev/null 2>&1 && return
    rm -rf -- "$venv"
    if "$python" -m pip --python "$python" --version >/dev/null 2>&1; then
        "$python" -m venv --without-pip "$venv"
        return
    fi
    apt_install python3-venv python3-pip
    "$python" -m venv "$venv"
}

install_packages() {
    if [ -x "$venv/bin/pip" ]; then
        "$venv/bin/pip" install --quiet --disable-pip-version-check "$@" >&2
    else
        "$python" -m pip --python "$venv/bin/python" install --quiet --disable-pip-version-check "$@" >&2
    fi
}

if [ "$1" = --fresh ]; then
    venv=${2:?a directory}
    shift 2
    rm -rf -- "$venv"
    make_venv
    install_packages --no-index "$@"
    printf '%s\n' "$venv"
    exit 0
fi

cache=$(cache_dir)
key=$({ "$python" -VV; cat -- "$@"; } | sha256sum | cut -c1-12)
venv=$cache/venv-$key
if [ ! -e "$venv/complete" ]; then
    say "making a Python environment from: $*"
    rm -rf -- "$venv"
    make_venv
    for file in "$@"; do
        set -- "$@" -r "$file"
        shift
    done
    install_packages "$@" || { rm -rf -- "$venv"; die "the Python packages could not be installed"; }
    : >"$venv/complete"
fi
printf '%s\n' "$venv"
