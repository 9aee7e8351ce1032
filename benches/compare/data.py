"""The two tables of the comparison: TPC-H `lineitem`, and `payments` as an application would have it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from server import Server, ServerError

TABLES = ("lineitem", "payments")
PAYMENTS_ROWS = 2_000_000

LINEITEM = """
create table lineitem (
    l_orderkey      bigint not null,
    l_partkey       integer not null,
    l_suppkey       integer not null,
    l_linenumber    integer not null,
    l_quantity      decimal(15, 2) not null,
    l_extendedprice decimal(15, 2) not null,
    l_discount      decimal(15, 2) not null,
    l_tax           decimal(15, 2) not null,
    l_returnflag    char(1) not null,
    l_linestatus    char(1) not null,
    l_shipdate      date not null,
    l_commitdate    date not null,
    l_receiptdate   date not null,
    l_shipinstruct  char(25) not null,
    l_shipmode      char(10) not null,
    l_comment       varchar(44) not null
)
"""

PAYMENTS = """
create table payments (
    id         uuid not null,
    amount     numeric(12, 2) not null,
    created_at timestamptz not null,
    metadata   jsonb not null,
    tags       text[] not null,
    is_test    boolean not null,
    score      double precision not null,
    note       text
)
"""

# Every value is a function of the row number, so each run on each machine exports the same rows.
FILL_PAYMENTS = """
insert into payments
select
    md5('payment ' || i)::uuid,
    ((h & 1023) * ((h >> 10) & 2047) + (h >> 21 & 127)) / 100.0,
    timestamptz '2024-01-01 00:00:00+00' + i * interval '31.7 s' + (h & 1048575) * interval '1 us',
    jsonb_build_object(
        'order', i * 7 + 100000,
        'channel', (array['web', 'app', 'pos', 'api'])[1 + (h & 3)],
        'customer', jsonb_build_object(
            'id', h >> 33 & 1048575,
            'country', (array['DE', 'FR', 'US', 'JP', 'BR'])[1 + (h >> 3 & 15) % 5]),
        'items', 1 + (h >> 7 & 7),
        'ip', '10.' || (h >> 11 & 255) || '.' || (h >> 19 & 255) || '.' || (h >> 27 & 255)),
    (array['new', 'vip', 'refund', 'recurring', 'eu'])[1 + (h >> 13 & 3) : (h >> 15 & 3) + (h >> 17 & 1) + 1],
    (h & 31) = 0,
    (h >> 8 & 4294967295) / 4294967296.0::float8,
    case when (h >> 5 & 1023) >= 307 then 'payment for order ' || i * 7 + 100000 || repeat(', thank you', (h >> 9 & 3)::int) end
from generate_series(1, {rows}) as i,
lateral (select hashint8extended(i, 42) & 9223372036854775807 as h) as hashed
"""


def load(server: Server, scale: float) -> None:
    """Makes and fills both tables; does nothing when they are there at this scale."""
    if server.state.get("scale") == scale:
        return
    server.remember(scale=None)
    server.sql("drop table if exists lineitem, payments")
    _say(f"loading lineitem at scale {scale:g}")
    server.sql(LINEITEM)
    _fill_lineitem(server, scale)
    rows = int(PAYMENTS_ROWS * scale)
    _say(f"loading payments, {rows} rows")
    server.sql(PAYMENTS)
    server.sql(FILL_PAYMENTS.format(rows=rows))
    for table in TABLES:
        server.sql(f"vacuum (freeze, analyze) {table}")
    server.sql("checkpoint")
    server.remember(scale=scale)


def row_counts(server: Server) -> dict[str, int]:
    """What the server says each table holds."""
    return {table: int(server.sql(f"select count(*) from {table}")) for table in TABLES}


def table_bytes(server: Server) -> dict[str, int]:
    """The size of each table's heap."""
    return {table: int(server.sql(f"select pg_relation_size('{table}')")) for table in TABLES}


def _fill_lineitem(server: Server, scale: float) -> None:
    generator = Path(sys.executable).with_name("tpchgen-cli")
    make = [str(generator), "csv", "-s", f"{scale:g}", "-T", "lineitem", "--stdout", "--quiet"]
    copy = [*server.psql(), "-c", "copy lineitem from stdin (format csv, header)"]
    with subprocess.Popen(make, stdout=subprocess.PIPE) as maker:
        loaded = subprocess.run(copy, stdin=maker.stdout, check=False)
    if maker.returncode != 0 or loaded.returncode != 0:
        raise ServerError("lineitem could not be generated and loaded")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
