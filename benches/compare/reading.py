"""Reads one table as Arrow batches and keeps none: `reading.py opskit|duckdb|adbc|connectorx TABLE JOBS`.

The database is in `OPSKIT_BENCH_URL` (for DuckDB, keywords); the measured time starts after the imports. Prints the rows.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

BATCH_ROWS = 65_536


def opskit_work(url: str, table: str, jobs: int):
    import opskit

    def work() -> int:
        with opskit.connect(url).export(f"public.{table}", jobs=jobs) as stream:
            return sum(len(batch) for batch in stream)

    return work


def opskit_pyarrow_work(url: str, table: str, jobs: int):
    import opskit
    import pyarrow

    def work() -> int:
        with opskit.connect(url).export(f"public.{table}", jobs=jobs) as stream:
            return sum(len(batch) for batch in pyarrow.RecordBatchReader.from_stream(stream))

    return work


def duckdb_work(url: str, table: str, jobs: int):
    import duckdb
    import duckdb_extension_postgres_scanner as package
    import pyarrow  # noqa: F401

    extension = next(Path(package.__file__).parent.rglob("postgres_scanner.duckdb_extension"))

    def work() -> int:
        db = duckdb.connect(config={"threads": jobs})
        db.execute(f"load '{extension}'")
        db.execute(f"attach '{url}' as pg (type postgres, read_only)")
        reader = db.execute(f"select * from pg.{table}").to_arrow_reader(BATCH_ROWS)
        return sum(len(batch) for batch in reader)

    return work


def adbc_work(url: str, table: str, jobs: int):
    from adbc_driver_postgresql import dbapi

    def work() -> int:
        with dbapi.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute(f"select * from {table}")
            return sum(len(batch) for batch in cursor.fetch_record_batch())

    return work


def connectorx_work(url: str, table: str, jobs: int):
    import connectorx
    import pyarrow  # noqa: F401

    def work() -> int:
        query = f"select * from {table}"
        reader = connectorx.read_sql(url, query, return_type="arrow_stream", batch_size=BATCH_ROWS)
        return sum(len(batch) for batch in reader)

    return work


WORKS = {
    "opskit": opskit_work,
    "opskit-pyarrow": opskit_pyarrow_work,
    "duckdb": duckdb_work,
    "adbc": adbc_work,
    "connectorx": connectorx_work,
}


def main() -> None:
    name, table, jobs = sys.argv[1:]
    work = WORKS[name](os.environ["OPSKIT_BENCH_URL"], table, int(jobs))
    start_cpu, began = time.process_time(), time.perf_counter()
    rows = work()
    taken = {"wall_seconds": time.perf_counter() - began, "start_cpu_seconds": start_cpu}
    Path(os.environ["OPSKIT_BENCH_NOTE"]).write_text(json.dumps(taken))
    print(rows)


if __name__ == "__main__":
    main()
