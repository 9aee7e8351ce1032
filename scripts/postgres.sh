#!/bin/sh
# Prints the directory of the PostgreSQL server programs; installs them when there are none.
# Looked for in this order: OPSKIT_PG_BIN, pg_config, PATH, the usual package directories (newest major first).
set -eu
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"

has_server() {
    [ -n "$1" ] && [ -x "$1/initdb" ] && [ -x "$1/pg_ctl" ] && [ -x "$1/postgres" ]
}

find_bin() {
    if command -v pg_config >/dev/null 2>&1; then
        bin=$(pg_config --bindir 2>/dev/null || :)
        has_server "$bin" && return
    fi
    if command -v initdb >/dev/null 2>&1; then
        bin=$(dirname -- "$(readlink -f -- "$(command -v initdb)")")
        has_server "$bin" && return
    fi
    for bin in $(printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin | sort -Vr) /usr/local/pgsql/bin; do
        has_server "$bin" && return
    done
    return 1
}

install_server() {
    say "no PostgreSQL server programs found: installing the package postgresql"
    apt_install postgresql-common
    # The package would make a cluster of its own; we only want the programs.
    conf=/etc/postgresql-common/createcluster.conf
    if [ -f "$conf" ] && ! grep -q '^create_main_cluster' "$conf"; then
        echo 'create_main_cluster = false' | as_root tee -a "$conf" >/dev/null
    fi
    apt_install postgresql
}

if [ -n "${OPSKIT_PG_BIN:-}" ]; then
    bin=$OPSKIT_PG_BIN
    has_server "$bin" || die "OPSKIT_PG_BIN has no initdb, pg_ctl and postgres: $bin"
else
    find_bin || { install_server && find_bin; } || die "no PostgreSQL server programs found; set OPSKIT_PG_BIN to their directory"
fi
printf '%s\n' "$bin"
