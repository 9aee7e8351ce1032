#!/bin/sh
# Makes the scratch server that the wire tests use: all ways to authenticate, TLS with an authority
# of its own, and PgBouncer in front of it. Usage: wire-server.sh DIR; prints the variables to set.
set -eu
dir=$1
bin=${OPSKIT_PG_BIN:-$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)}
port=${PORT:-54991}
pooler_port=$((port + 1))
as_user() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; else "$@"; fi; }

mkdir -p "$dir" && cd "$dir"
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -subj /CN=ca -days 2 2>/dev/null
openssl req -x509 -newkey rsa:2048 -nodes -keyout other.key -out other.crt -subj /CN=other -days 2 2>/dev/null
issue() { # name, subject, digest, extensions
    openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$2" 2>/dev/null
    printf '%s\n' "$4" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial "-$3" -days 2 -extfile "$1.ext" -out "$1.crt" 2>/dev/null
}
issue server localhost sha384 "subjectAltName=DNS:localhost"
issue client certuser sha256 "extendedKeyUsage=clientAuth"
[ "$(id -u)" != 0 ] || chown -R postgres:postgres .
chmod 755 . && chmod 600 ./*.key
as_user "$bin/initdb" -D data -U postgres -A trust --no-sync -E UTF8 --locale=C >initdb.log
cat >data/pg_hba.conf <<HBA
local all all trust
hostssl all certuser all cert
hostnossl all plain_only all trust
hostssl all tls_only all trust
host all md5_user all md5
host all scram_user all scram-sha-256
host all password_user all password
host all postgres all trust
HBA
cat >>data/postgresql.conf <<CONF
port = $port
listen_addresses = '127.0.0.1'
unix_socket_directories = '$dir'
ssl = on
ssl_cert_file = '$dir/server.crt'
ssl_key_file = '$dir/server.key'
ssl_ca_file = '$dir/ca.crt'
fsync = off
CONF
as_user "$bin/pg_ctl" -D data -l server.log -w start >/dev/null
as_user psql -q -h "$dir" -p "$port" -U postgres <<SQL
create role certuser login; create role plain_only login; create role tls_only login;
set password_encryption = 'md5'; create role md5_user login password 'pa ss';
set password_encryption = 'scram-sha-256';
create role scram_user login password 'pa ss'; create role password_user login password 'pa ss';
SQL
cat >bouncer.ini <<INI
[databases]
session = host=$dir port=$port dbname=postgres pool_mode=session
transaction = host=$dir port=$port dbname=postgres pool_mode=transaction
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $pooler_port
unix_socket_dir =
auth_type = any
logfile = $dir/bouncer.log
pidfile = $dir/bouncer.pid
server_round_robin = ${ROUND_ROBIN:-0}
INI
# auth_type=any needs a fixed server user.
sed -i 's/pool_mode=/user=postgres pool_mode=/' bouncer.ini
as_user pgbouncer -q -d bouncer.ini
echo "export OPSKIT_TEST_URL='host=$dir port=$port user=postgres dbname=postgres'"
echo "export OPSKIT_TEST_TLS_DIR='$dir' OPSKIT_TEST_TLS_PORT=$port OPSKIT_TEST_POOLER_PORT=$pooler_port"
