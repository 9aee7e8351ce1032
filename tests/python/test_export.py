"""Exports of the Python package: values, readers, closing, concurrency, errors."""

import asyncio
import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import duckdb
import opskit
import pandas
import polars
import pyarrow as pa
import pytest

ROWS = 200_000
# It sends a large row now and then, for as long as anybody listens.
ENDLESS = "select i, repeat('x', 50000) as filler, pg_sleep(0.001) from generate_series(1, 10000000) i"


@pytest.fixture
def db(url, sql):
    sql(
        f"create table t as select i as id, 'name ' || i as name, i::numeric(12, 2) / 4 as price, i % 2 = 0 as even, "
        f"timestamptz '2026-01-01 00:00Z' + i * interval '1 second' as at from generate_series(1, {ROWS}) i"
    )
    with opskit.connect(url) as db:
        yield db


def until(question, seconds=10):
    """Asks until the answer is yes."""
    end = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


@pytest.fixture
def active(sql):
    """How many statements of others run in the database."""
    question = (
        "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() "
        "and state = 'active' and backend_type = 'client backend'"
    )
    return lambda: sql(question).fetchone()[0]


def test_values_are_what_another_client_reads(db, sql):
    query = (
        "select a, b, c, d, e, f::numeric(9, 2) as f, g, h, i, j from (values (1::int2, -5::int8, 1.5::float8, true, 'é'::text, 1.25::numeric, date '2026-02-28', "
        "timestamp '2026-01-01 12:00', '{1,null,3}'::int4[], '\\x00ff'::bytea), "
        "(null, 9223372036854775807, 'nan', false, '', -0.01, date '0001-01-01', null, '{}', '')) v(a, b, c, d, e, f, g, h, i, j)"
    )
    theirs = [list(row) for row in sql(query).fetchall()]
    ours = pa.table(db.export(query=query)).to_pylist()
    assert repr([list(row.values()) for row in ours]) == repr(theirs)


READERS = {
    "pyarrow": lambda stream: pa.RecordBatchReader.from_stream(stream).read_all().to_pydict()["id"],
    "pyarrow.table": lambda stream: pa.table(stream).to_pydict()["id"],
    "polars": lambda stream: polars.DataFrame(stream)["id"].to_list(),
    "pandas": lambda stream: pandas.DataFrame.from_arrow(stream)["id"].tolist(),
    "duckdb": lambda stream: [row[0] for row in duckdb.sql("select id from stream").fetchall()],
}


@pytest.mark.parametrize("reader", READERS)
def test_readers_take_the_stream(db, reader):
    stream = db.export("public.t")
    assert sorted(READERS[reader](stream)) == list(range(1, ROWS + 1))
    assert stream.report.rows == ROWS
    with pytest.raises(opskit.InvalidInputError, match="read or closed already"):
        stream.read_all()


def test_a_table_in_memory_is_read_as_often_as_one_likes(db):
    table = db.export("public.t").read_all()
    assert len(table) == table.num_rows == ROWS
    assert table.schema.names == ["id", "name", "price", "even", "at"]
    assert pa.table(table).equals(pa.table(table))
    batch = table.batches[0]
    assert pa.record_batch(batch).num_rows == batch.num_rows == len(batch)
    assert pa.schema(batch.schema).names == table.schema.names
    assert polars.DataFrame(table).height == ROWS
    assert table.batches[0].nbytes > 0


def test_batches_are_views_of_one_memory(db):
    """Two readers of a batch see one buffer at one address: nothing was copied."""
    (batch, *_) = db.export("public.t").read_all().batches
    one, other = pa.record_batch(batch), pa.record_batch(batch)
    addresses = [[buffer.address for buffer in read.column("name").buffers() if buffer] for read in (one, other)]
    assert addresses[0] == addresses[1]


def test_iterators_give_every_row(db):
    with db.export("public.t", batch_rows=1000, jobs=4) as stream:
        assert stream.schema.types[0] == "Int32"
        sizes = [len(batch) for batch in stream]
    assert sum(sizes) == ROWS and max(sizes) <= 1000

    async def read():
        async with db.export("public.t", batch_rows=1000) as stream:
            return [len(batch) async for batch in stream]

    assert sum(asyncio.run(read())) == ROWS
    # Another event loop.
    assert sum(asyncio.run(read())) == ROWS


def test_fifty_at_once(db, active):
    async def main():
        async def one(number):
            table = await db.export(query=f"select id from t where id % 50 = {number}").read_all_async()
            return pa.table(table).to_pydict()["id"]

        return await asyncio.gather(*(one(number) for number in range(50)))

    found = asyncio.run(main())
    assert sorted(id for ids in found for id in ids) == list(range(1, ROWS + 1))
    until(lambda: active() == 0)


def test_threads_share_a_database(db):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: db.export("public.t").read_all().num_rows, range(16)))
    assert found == [ROWS] * 16


def test_other_threads_run_while_one_waits(db):
    ticks = 0
    done = threading.Event()

    def count():
        nonlocal ticks
        while not done.wait(0.01):
            ticks += 1

    counter = threading.Thread(target=count)
    counter.start()
    db.export(query="select pg_sleep(0.5)").read_all()
    done.set()
    counter.join()
    assert ticks > 10


def started(stream, active):
    stream.__enter__()
    until(lambda: active() > 0)
    return stream


def test_closing_stops_the_query(db, active):
    stream = started(db.export(query=ENDLESS), active)
    stream.close()
    until(lambda: active() == 0, seconds=2)
    with pytest.raises(opskit.InvalidInputError):
        next(iter(stream))
    stream.close()


def test_closing_stops_a_reader_of_the_c_interface(db, active):
    with started(db.export(query=ENDLESS, batch_rows=10), active) as stream:
        reader = pa.RecordBatchReader.from_stream(stream)
        assert reader.read_next_batch().num_rows == 10
    until(lambda: active() == 0, seconds=2)
    with pytest.raises(pa.ArrowException):
        reader.read_all()


def test_garbage_stops_the_query(db, active):
    stream = started(db.export(query=ENDLESS), active)
    del stream
    gc.collect()
    until(lambda: active() == 0, seconds=2)


def test_a_reader_outlives_the_stream_it_is_of(db, active):
    reader = pa.RecordBatchReader.from_stream(db.export("public.t"))
    gc.collect()
    assert reader.read_all().num_rows == ROWS
    reader = pa.RecordBatchReader.from_stream(db.export(query=ENDLESS, batch_rows=10))
    assert reader.read_next_batch().num_rows == 10
    del reader
    gc.collect()
    until(lambda: active() == 0, seconds=2)


def test_leaving_the_database_closes_its_streams(url, active):
    with opskit.connect(url) as db:
        stream = started(db.export(query=ENDLESS), active)
    until(lambda: active() == 0, seconds=2)
    assert "closed" in repr(stream)


def test_a_cancelled_task_stops_the_query(db, active):
    async def main():
        reading = asyncio.create_task(db.export(query=ENDLESS).read_all_async())
        while active() == 0:
            await asyncio.sleep(0.01)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading

    asyncio.run(main())
    until(lambda: active() == 0, seconds=2)


INTERRUPTED = """
import opskit, sys
try:
    {code}
except KeyboardInterrupt:
    print("interrupted")
"""


def interrupt(code, url, active):
    """Starts the code, interrupts it when its query runs, and gives what became of it."""
    arguments = [sys.executable, "-c", INTERRUPTED.format(code=code), url, ENDLESS]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        until(lambda: active() > 0, seconds=20)
        begun = time.monotonic()
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=20)
        assert time.monotonic() - begun < 5
    until(lambda: active() == 0, seconds=2)
    return out, err, child.returncode


@pytest.mark.parametrize(
    "code",
    [
        "opskit.connect(sys.argv[1]).export(query=sys.argv[2]).read_all()",
        "opskit.connect(sys.argv[1]).export(query='select pg_sleep(100)').read_all()",
        "list(opskit.connect(sys.argv[1]).export(query=sys.argv[2]))",
    ],
)
def test_ctrl_c_stops_a_blocking_call(url, active, code):
    out, err, status = interrupt(code, url, active)
    assert (out, status) == ("interrupted\n", 0), err


@pytest.mark.parametrize("reader", ["pyarrow.table", "polars.DataFrame"])
def test_ctrl_c_stops_a_reader_of_the_c_interface(url, active, reader):
    """The reader may raise an error of its own first; the interrupt follows when Python goes on."""
    module = reader.split(".")[0]
    read = f"import {module}; {reader}(opskit.connect(sys.argv[1]).export(query=sys.argv[2]))"
    out, err, status = interrupt(read, url, active)
    assert (out, status) == ("interrupted\n", 0) or (status == 1 and "cancelled" in err), err
    goes_on = (
        f"import {module}, time\n"
        f"    try: {reader}(opskit.connect(sys.argv[1]).export(query=sys.argv[2]))\n"
        f"    except Exception: time.sleep(0); print('went on')"
    )
    assert interrupt(goes_on, url, active)[0] == "interrupted\n"


def test_the_end_of_the_program_stops_the_query(url, active):
    code = "import opskit, sys; s = opskit.connect(sys.argv[1]).export(query=sys.argv[2], batch_rows=1); s.__enter__(); next(iter(s))"
    begun = time.monotonic()
    subprocess.run([sys.executable, "-c", code, url, ENDLESS], check=True, timeout=20)
    assert time.monotonic() - begun < 5
    until(lambda: active() == 0, seconds=2)


def test_after_a_fork_there_is_a_clear_error(db):
    # In a process of its own: this one has threads of the test runner.
    code = (
        "import opskit, os, sys\n"
        "db = opskit.connect(sys.argv[1]); db.server_version()\n"
        "if os.fork() == 0:\n"
        "    try: db.server_version()\n"
        "    except opskit.UnsupportedError as error: print(error, error.hint, flush=True); os._exit(7)\n"
        "    os._exit(1)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))\n"
    )
    url = str(db._source)
    done = subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True, timeout=60)
    assert done.returncode == 7, done
    assert "forked" in done.stdout and "spawn" in done.stdout


def test_values_without_a_standard_form_are_told(db):
    query = "select n::numeric(5, 2) as n from (values ('NaN'::numeric), (1)) v(n)"
    with pytest.raises(opskit.CheckFailedError):
        db.export(query=query).read_all()
    stream = db.export(query=query, exactness="interop")
    assert pa.table(stream).column("n").null_count == 1
    assert stream.report.tables[0].misfits == 1


def test_partitions_are_one_stream(db, sql):
    sql("create table p (id int, x text) partition by range (id)")
    sql("create table p1 partition of p for values from (0) to (10)")
    sql("create table p2 partition of p for values from (10) to (20)")
    sql("insert into p select i, i::text from generate_series(0, 19) i")
    assert sorted(pa.table(db.export("public.p")).to_pydict()["id"]) == list(range(20))


def test_tables_with_different_columns_are_no_stream(db, sql):
    sql("create table other (x int)")
    with pytest.raises(opskit.InvalidInputError, match="different columns"):
        db.export("public.*").read_all()


def test_a_lost_connection_is_an_error(db, sql, active):
    stream = started(db.export(query=ENDLESS), active)
    sql("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
    with pytest.raises(opskit.OpskitError) as caught:
        stream.read_all()
    assert caught.value.kind != "cancelled"


@pytest.mark.parametrize(
    ("make", "kinds"),
    [
        (lambda db: db.export("public.nothing"), (opskit.NotFoundError, LookupError)),
        (lambda db: db.export("a.b.c"), (opskit.InvalidInputError, ValueError)),
        (lambda db: db.export(query="selec 1"), (opskit.InvalidInputError, ValueError)),
        (lambda db: db.export("public.t", query="select 1"), (opskit.InvalidInputError,)),
        (lambda db: db.export("public.t", exactness="no"), (opskit.InvalidInputError,)),
    ],
)
def test_errors_have_classes(db, make, kinds):
    with pytest.raises(opskit.OpskitError) as caught:
        make(db).read_all()
    error = caught.value
    assert all(isinstance(error, kind) for kind in kinds), type(error)
    assert error.kind and str(error) and "\x1b" not in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.hint, again.causes) == (type(error), str(error), error.hint, error.causes)


def test_a_server_that_is_not_there(tmp_path):
    with pytest.raises(ConnectionError) as caught:
        opskit.connect(f"postgresql://u:hunter2@localhost:1/x?host={tmp_path}").server_version()
    assert isinstance(caught.value, opskit.ConnectionFailedError) and caught.value.retryable
    assert "hunter2" not in repr(caught.value) + str(caught.value.causes)


def test_a_password_is_never_shown():
    db = opskit.connect("postgresql://u:hunter2@localhost/x")
    assert "hunter2" not in repr(db) + str(db._source) + repr(db.export("t"))


def test_every_kind_has_its_class():
    from opskit import _errors, _opskit

    assert sorted(_errors.BY_KIND) == sorted(_opskit.ERROR_KINDS)
    for one in _errors.BY_KIND.values():
        assert getattr(opskit, one.__name__) is one


def test_an_option_that_is_none_is_a_type_error(db):
    with pytest.raises(TypeError, match="bathc_rows"):
        db.export("public.t", bathc_rows=1)


def test_environment_names_the_database(url, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", url)
    assert opskit.connect().server_version() >= 130000


@pytest.fixture(scope="module")
def matrix():
    """A database with every type and kind of table."""
    from conftest import program

    command = [program("opskit-test-fixtures"), "--hold"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        yield holder.stdout.readline().strip()
        holder.stdin.close()


def test_all_types_are_read_by_all_readers(matrix):
    import psycopg

    names = (
        "select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname = 'public' and c.relkind = 'r' and c.relname like 'm\\_%' order by 1"
    )
    with psycopg.connect(matrix, autocommit=True) as connection:
        tables = [name for (name,) in connection.execute(names)]
        counts = {name: connection.execute(f"select count(*) from only {name}").fetchone()[0] for name in tables}
    count = {
        "pyarrow": lambda stream: pa.table(stream).num_rows,
        "polars": lambda stream: polars.DataFrame(stream).height,
        # Objects of Python have no year 294247, and pandas makes no other lists of decimals: it keeps Arrow's columns.
        "pandas": lambda stream: len(pa.table(stream).to_pandas(types_mapper=pandas.ArrowDtype)),
        "duckdb": lambda stream: duckdb.sql("select count(*) from (select * from stream)").fetchone()[0],
    }
    assert len(tables) > 100
    db, wrong = opskit.connect(matrix), []
    for name in tables:
        for reader, read in count.items():
            try:
                found = read(db.export(name, exactness="interop"))
                if found != counts[name]:
                    wrong.append(f"{name}, {reader}: {found} rows instead of {counts[name]}")
            except BaseException as error:  # polars panics are no Exceptions
                wrong.append(f"{name}, {reader}: {type(error).__name__}: {str(error)[:200]}")
    for name in tables:
        pa.table(db.export(name, exactness="interop")).validate(full=True)
    assert not wrong, "\n".join(wrong)


def test_memory_does_not_grow_with_rows(url, sql):
    rows = 6_000_000 if os.environ.get("OPSKIT_TEST_FULL") == "1" else 1_500_000
    sql(f"create table big as select i as id, repeat('x', 200) as filler from generate_series(1, {rows}) i")
    code = (
        "import opskit, sys\n"
        "rows = sum(len(batch) for batch in opskit.connect(sys.argv[1]).export('public.big'))\n"
        "status = open('/proc/self/status').read()\n"
        "print(rows, status.split('VmHWM:')[1].split()[0])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True, check=True)
    read, kibibytes = map(int, done.stdout.split())
    assert read == rows
    assert kibibytes < 200 * 1024
