"""The database of the backup comparison: both tables with two indexes and a foreign key each."""

from __future__ import annotations

import sys

import data
from server import Server

DATABASE = "shop"

# A primary key is one of the two indexes. Each order has a first line.
OBJECTS = (
    "create table orders as select l_orderkey as o_orderkey from lineitem where l_linenumber = 1",
    "create table receipts as select id as payment, created_at + interval '3 s' as sent_at from payments",
    "alter table orders add primary key (o_orderkey)",
    "alter table receipts add primary key (payment)",
    "alter table lineitem add primary key (l_orderkey, l_linenumber)",
    "create index on lineitem (l_shipdate)",
    "alter table lineitem add foreign key (l_orderkey) references orders",
    "alter table payments add primary key (id)",
    "create index on payments (created_at)",
    "alter table payments add foreign key (id) references receipts",
)
TABLES = ("lineitem", "orders", "payments", "receipts")
OBJECTS_SQL = "select (select count(*) from pg_index where indrelid >= 16384), (select count(*) from pg_constraint where contype = 'f')"


def load(server: Server, scale: float) -> None:
    """Makes the database; does nothing when it is there at this scale."""
    if server.state.get("shop_scale") == scale:
        return
    data.load(server, scale)
    server.remember(shop_scale=None)
    print(f"making database {DATABASE}", file=sys.stderr, flush=True)
    empty(server, DATABASE, template="bench")
    for sql in OBJECTS:
        server.sql(sql, DATABASE)
    server.sql("vacuum (freeze, analyze)", DATABASE)
    server.sql("checkpoint")
    server.remember(shop_scale=scale)


def empty(server: Server, name: str, template: str = "template0") -> None:
    """Makes a database afresh."""
    server.sql(f"drop database if exists {name} with (force)", "postgres")
    server.sql(f"create database {name} template {template}", "postgres")


def contents(server: Server, database: str) -> dict[str, int | str]:
    """What a complete copy has: the rows of each table, and how many indexes and foreign keys there are."""
    found: dict[str, int | str] = {
        table: int(server.sql(f"select count(*) from {table}", database)) for table in TABLES
    }
    found["indexes and foreign keys"] = server.sql(OBJECTS_SQL, database)
    return found
