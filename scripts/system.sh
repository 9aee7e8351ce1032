#!/bin/sh
# Makes sure that the named programs are there, by the package manager when they are not.
# Usage: scripts/system.sh PROGRAM…
set -eu
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
# Debian keeps servers outside the PATH of ordinary users.
PATH=$PATH:/usr/sbin:/sbin

missing=
for program in "$@"; do
    command -v "$program" >/dev/null 2>&1 && continue
    case $program in
        cc) missing="$missing build-essential" ;;
        *) missing="$missing $program" ;;
    esac
done

if [ -n "$missing" ]; then
    say "installing:$missing"
    # shellcheck disable=SC2086 # a list of words
    apt_install $missing
fi
