"""A table, and what a query gives, as polars data frames: columns are not copied on their way.

DATABASE_URL=postgresql://reader@db.example/shop python export_to_polars.py public.orders
"""

import sys

import opskit
import polars


def whole(db: opskit.Database, table: str) -> polars.DataFrame:
    """All rows of a table in memory."""
    return polars.DataFrame(db.export(table))


def longest(db: opskit.Database, table: str) -> int:
    """Something of a table that does not fit into memory: one batch at a time."""
    with db.export(table) as stream:
        return max((polars.DataFrame(batch).estimated_size() for batch in stream), default=0)


def main(table: str) -> None:
    with opskit.connect() as db:
        print(whole(db, table).describe())
        print(f"the largest batch has {longest(db, table)} bytes")
        print(polars.DataFrame(db.export(query="select current_database() as database, now() as read_at")))


if __name__ == "__main__":
    main(sys.argv[1])
