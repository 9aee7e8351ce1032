"""Readers that nobody here wrote open every file that opskit writes, and read what the server says.

The files come from the helper `opskit-test-fixtures`, which stands beside the command under test."""

import decimal
import json
import os
import pathlib
import subprocess
import sys

import duckdb
import polars
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

PLAIN = "int2 int4 int8 oid xid cid xid8 text varchar varchar_5_ bpchar char_5_ char_1_ name json jsonpath inet cidr uuid varbit".split()
sys.set_int_max_str_digits(0)


def helper():
    beside = pathlib.Path(os.environ["OPSKIT_BIN"]).parent
    program = beside / "opskit-test-fixtures"
    assert program.exists(), f"{program} is missing: build the workspace's binaries first"
    return program


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    made = os.environ.get("OPSKIT_TEST_FIXTURES")
    if made:
        return pathlib.Path(made)
    place = tmp_path_factory.mktemp("fixtures") / "out"
    subprocess.run([helper(), place], check=True)
    return place


@pytest.fixture(scope="session")
def expected(place):
    return json.loads((place / "expected.json").read_text())


def tables(place, expected, kind, pattern):
    """Each table with its rows and files; every table has files."""
    for table, says in expected[kind].items():
        files = sorted((place / kind / table).glob(pattern))
        assert files, f"{kind}: {table} has no file"
        yield table, says["rows"], files


def count_duckdb(files):
    return duckdb.execute("select * from read_parquet($1)", [[str(file) for file in files]]).arrow().read_all().num_rows


READERS = {
    "pyarrow": lambda files: sum(pq.read_table(file).num_rows for file in files),
    "duckdb": count_duckdb,
    "polars": lambda files: sum(polars.read_parquet(file, glob=False).height for file in files),
}


@pytest.mark.parametrize("reader", READERS)
def test_every_parquet_file_opens(place, expected, reader):
    wrong, seen = [], 0
    for table, rows, files in tables(place, expected, "parquet", "*.parquet"):
        seen += len(files)
        try:
            found = READERS[reader](files)
            if found != rows:
                wrong.append(f"{table}: {found} rows instead of {rows}")
        except BaseException as error:  # polars panics are no Exceptions
            wrong.append(f"{table}: {type(error).__name__}: {str(error)[:300]}")
    assert not wrong, "\n".join(wrong)
    assert seen > 150


@pytest.mark.parametrize("reader", READERS)
def test_every_side_file_opens(place, expected, reader):
    wrong, seen = [], 0
    for table, says in expected["parquet"].items():
        files = sorted((place / "parquet" / table).glob("*.exact"))
        assert bool(files) == bool(says["misfits"]), table
        seen += len(files)
        try:
            if files and READERS[reader](files) != says["misfits"]:
                wrong.append(f"{table}: not {says['misfits']} values")
        except BaseException as error:
            wrong.append(f"{table}: {type(error).__name__}: {str(error)[:300]}")
    assert not wrong, "\n".join(wrong)
    assert seen > 50


def text_of(value):
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    return str(value)


def columns_of(reader, file):
    """The columns `v` by reader, as Python values."""
    if reader == "pyarrow":
        return pq.read_table(file).column("v").to_pylist()
    if reader == "polars":
        return polars.read_parquet(file, glob=False)["v"].to_list()
    return [row[0] for row in duckdb.execute("select v from read_parquet($1)", [str(file)]).fetchall()]


@pytest.mark.parametrize("reader", READERS)
def test_values_are_what_the_server_says(place, expected, reader):
    wrong, compared = [], 0
    for name in [f"public.m_{name}" for name in PLAIN] + [t for t in expected["parquet"] if t.startswith("public.m_numeric_") or t == "public.m_bool"]:
        if "arr" in name:
            continue
        file = place / "parquet" / name / "part-00000.parquet"
        for ours, says in zip(columns_of(reader, file), expected["text"][name]["v"], strict=True):
            if ours is None:
                continue  # NULL, or in the side file
            if reader == "polars" and name == "public.m_uuid" and isinstance(ours, bytes):
                ours = f"{ours.hex()[:8]}-{ours.hex()[8:12]}-{ours.hex()[12:16]}-{ours.hex()[16:20]}-{ours.hex()[20:]}"
            compared += 1
            if text_of(ours) != says:
                wrong.append(f"{name}: {text_of(ours)!r} where the server says {says!r}")
    assert not wrong, "\n".join(wrong[:50])
    assert compared > 150


def test_duckdb_shows_times_as_the_server_does(place, expected):
    wrong, compared = [], 0
    duckdb.execute("set timezone = 'UTC'")
    for name in ["date", "time", "timestamp", "timestamptz", "timestamptz_3_", "timestamp_0_"]:
        file = place / "parquet" / f"public.m_{name}" / "part-00000.parquet"
        rows = duckdb.execute("select v::varchar from read_parquet($1)", [str(file)]).fetchall()
        for (ours,), says in zip(rows, expected["text"][f"public.m_{name}"]["v"], strict=True):
            if ours is None:
                continue
            compared += 1
            if name.startswith("timestamptz") and says.startswith("294247"):
                continue  # DuckDB's own text of time zones rounds here; its number is right
            # DuckDB writes the era in another place and with brackets, and that is all.
            if " (BC)" in ours:
                ours = ours.replace(" (BC)", "") + " BC"
            if ours != says:
                wrong.append(f"{name}: {ours!r} where the server says {says!r}")
    assert not wrong, "\n".join(wrong)
    assert compared > 30


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_knows_the_times(place, expected, reader):
    # Postgres has 24:00:00 and Arrow has not: it stands in the side file.
    for name in ["time", "time_0_"]:
        file = place / "parquet" / f"public.m_{name}" / "part-00000.parquet"
        ours = columns_of(reader, file)
        says = expected["text"][f"public.m_{name}"]["v"]
        assert [our is None for our in ours] == [text is None or text.startswith("24") for text in says]
        assert "24:00:00" in says
        pq.read_table(file).validate(full=True)


def test_every_arrow_file_opens(place, expected):
    seen = 0
    for table, rows, files in tables(place, expected, "arrow", "*.arrow"):
        for file in files:
            with pa.memory_map(str(file)) as source:
                found = pyarrow.ipc.open_file(source).read_all()
                found.validate(full=True)
            seen += 1
        assert found.num_rows == rows or len(files) > 1, table
        try:
            assert polars.read_ipc(files[0]).height == rows or len(files) > 1, table
        except (polars.exceptions.ComputeError, pa.ArrowInvalid) as error:
            pytest.fail(f"{table}: {error}")
    assert seen > 150


def records(stream):
    """Rows of a COPY stream, by the format's documentation."""
    assert stream[:11] == b"PGCOPY\n\xff\r\n\0"
    at, rows = 19 + int.from_bytes(stream[15:19]), 0
    while (fields := int.from_bytes(stream[at : at + 2], signed=True)) != -1:
        at += 2
        for _ in range(fields):
            size = int.from_bytes(stream[at : at + 4], signed=True)
            at += 4 + max(size, 0)
        rows += 1
    assert at + 2 == len(stream)
    return rows


def test_pgcopy_is_a_copy_stream(place, expected):
    for table, rows, files in tables(place, expected, "pgcopy", "*.pgcopy.zst"):
        streams = [subprocess_zstd(file) for file in files]
        assert sum(records(stream) for stream in streams) == rows, table
        if table == "public.m_int4":
            assert streams == [(place / "m_int4.pgcopy").read_bytes()]


def subprocess_zstd(file):
    return pa.input_stream(str(file), compression="zstd").read()


def test_csv_and_jsonl_have_every_row(place, expected):
    for table, rows, files in tables(place, expected, "jsonl", "*.jsonl"):
        # Newlines inside values are escaped: a line is a document.
        lines = [json.loads(line) for file in files for line in file.read_text().split("\n") if line]
        assert len(lines) == rows, table
    for table, rows, files in tables(place, expected, "csv", "*.csv"):
        assert files[0].stat().st_size > 0 or table.startswith("public.zero"), table
