# Shared by the scripts beside it, which source it; POSIX sh.
# shellcheck shell=sh

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

say() {
    printf '%s\n' "$*" >&2
}

die() {
    say "error: $*"
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        die "this needs root, and there is no sudo: $*"
    fi
}

# Whether a user who is neither the owner nor in the group can enter $1 and every directory above it.
open_to_all() {
    dir=$1
    while :; do
        case $(stat -c %A -- "$dir") in
            *[xt]) ;;
            *) return 1 ;;
        esac
        [ "$dir" = / ] && return 0
        dir=$(dirname -- "$dir")
    done
}

# The directory for what the scripts download. Servers started by root run as another user, who must be able to enter it.
cache_dir() {
    if [ -n "${OPSKIT_CACHE:-}" ]; then
        cache=$OPSKIT_CACHE
    elif [ "$(id -u)" -ne 0 ] || open_to_all "$root"; then
        cache=$root/.cache
    else
        cache=/var/tmp/opskit-cache-$(id -u)
    fi
    mkdir -p -- "$cache"
    if [ -L "$cache" ] || [ "$(stat -c %u -- "$cache")" != "$(id -u)" ]; then
        die "$cache is not a directory of ours; set OPSKIT_CACHE to another one"
    fi
    chmod 755 -- "$cache"
    CDPATH='' cd -- "$cache" && pwd
}

# Installs Debian packages without starting the services that come with them.
apt_install() {
    command -v apt-get >/dev/null 2>&1 || die "install these yourself, there is no apt-get here: $*"
    policy=/usr/sbin/policy-rc.d
    ours=
    if [ ! -e "$policy" ]; then
        ours=yes
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
    status=0
    apt_get install "$@" || { apt_get update && apt_get install "$@"; } || status=$?
    [ -z "$ours" ] || as_root rm -f "$policy"
    [ "$status" -eq 0 ] || die "apt-get could not install: $*"
}

apt_get() {
    verb=$1
    shift
    case $verb in
        install) as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >&2 ;;
        update) as_root apt-get update >&2 ;;
    esac
}

# Runs a command as the user that servers run as: ourselves, or somebody harmless when we are root.
as_server_user() {
    if [ "$(id -u)" -ne 0 ]; then
        "$@"
        return
    fi
    user=postgres
    id "$user" >/dev/null 2>&1 || user=nobody
    setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups "$@"
}
