"""Parts that others read: other processes, and the workers of a Dask cluster. Whole, or an error."""

import asyncio
import functools
import json
import multiprocessing
import os
import pathlib
import pickle
import signal
import time

import opskit
import psycopg
import pytest

ROWS = 20_000
PART = 128 << 10


@pytest.fixture
def db(url, sql):
    sql("create table orders (id int primary key, total numeric(9, 2), note text)")
    sql(f"insert into orders select i, i / 2.0, repeat('x', i % 90) from generate_series(1, {ROWS}) i")
    sql("create table small as select 1 as a")
    return opskit.connect(url)


@pytest.fixture
def repository(tmp_path):
    return opskit.Repository(tmp_path / "backups", create=True)


def run_as_text(text, place, url):
    """What another process does, which has nothing but the text of a part."""
    part = opskit.BackupPart.from_dict(json.loads(text))
    return pickle.dumps(opskit.run_part(part, place, url))


def test_other_processes_make_a_backup(db, url, repository):
    wanted = db.backup.run(repository, part_bytes=PART)
    with db.backup.fan_out(repository, part_bytes=PART) as plan:
        assert plan.plan.ok and len(plan.parts) > 5
        assert plan.parts[0].heap_bytes >= plan.parts[-1].heap_bytes
        assert pickle.loads(pickle.dumps(plan.parts)) == plan.parts
        texts = [json.dumps(part.to_dict()) for part in plan.parts]
        assert not any("password" in text or url in text for text in texts)
        context = multiprocessing.get_context("spawn")
        with context.Pool(2) as pool:
            run = functools.partial(run_as_text, place=repository.place, url=url)
            receipts = [pickle.loads(one) for one in pool.map(run, texts)]
        report = plan.commit(receipts)
    assert (report.rows, report.tables) == (ROWS + 1, wanted.tables)
    repository.verify(report.id, level="decode").check()
    with pytest.raises(opskit.InvalidInputError, match="already"):
        plan.commit(receipts)
    with pytest.raises(opskit.NotFoundError, match="gone"):
        opskit.run_part(plan.parts[0], repository, db)
    # Within one second names are in no order.
    assert {one.id for one in repository.list()} == {wanted.id, report.id}


def test_receipts_must_be_those_of_all_parts(db, repository):
    with db.backup.fan_out(repository) as other:
        foreign = opskit.run_part(other.parts[0], repository, db)
    with db.backup.fan_out(repository) as plan:
        first, last = (opskit.run_part(part, repository, db) for part in plan.parts)
        for wrong, why in (
            ([], "no receipt"),
            ([first], "1 of 2"),
            ([first, last, first], "twice"),
            ([foreign, last], "is of backup"),
        ):
            with pytest.raises(opskit.InvalidInputError, match=why):
                plan.commit(wrong)
        assert repository.list() == ()
        plan.commit([last, first])
    assert len(repository.list()) == 1


def test_a_plan_that_is_closed_leaves_nothing(db, repository, sql):
    with pytest.raises(ZeroDivisionError), db.backup.fan_out(repository) as plan:
        opskit.run_part(plan.parts[0], repository, db)
        raise ZeroDivisionError
    assert repository.list() == ()
    assert list((pathlib.Path(repository.place) / "backups").iterdir()) == []
    # A plan that nobody has any more lets go of the server.
    plan = db.backup.fan_out(repository)
    holding = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    assert sql(holding).fetchone()[0] > 0
    del plan
    deadline = time.monotonic() + 30
    while sql(holding).fetchone()[0] > 0:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert list((pathlib.Path(repository.place) / "backups").iterdir()) == []


def test_a_part_is_of_its_own_database_and_repository(db, server, repository, tmp_path):
    elsewhere = opskit.Repository(tmp_path / "elsewhere", create=True)
    with db.backup.fan_out(repository) as plan:
        with pytest.raises(opskit.InvalidInputError, match="of database"):
            opskit.run_part(plan.parts[0], repository, server)
        with pytest.raises(opskit.InvalidInputError, match="another repository"):
            opskit.run_part(plan.parts[0], elsewhere, db)
        with pytest.raises(opskit.DamagedError):
            opskit.run_part(opskit.BackupPart("t", 0, 1, 0, "{}"), repository, db)


def test_the_asynchronous_twins(db, repository):
    async def main():
        async with await db.backup.fan_out_async(repository, part_bytes=PART) as plan:
            running = (opskit.run_part_async(part, repository, db) for part in plan.parts)
            report = await plan.commit_async(await asyncio.gather(*running))
        async with await db.snapshot_async("orders", part_bytes=PART) as snapshot:
            tables = await asyncio.gather(*(opskit.read_part_async(part, db) for part in snapshot.parts))
        return report.rows, sum(table.num_rows for table in tables)

    assert asyncio.run(main()) == (ROWS + 1, ROWS)


def test_parts_of_a_snapshot_are_one_table(db, sql):
    import pyarrow

    with db.snapshot("orders", part_bytes=PART) as snapshot:
        assert len(snapshot.parts) > 5 and snapshot.schema.names == ["id", "total", "note"]
        sql("delete from orders where id % 2 = 0")
        tables = [pyarrow.table(opskit.read_part(part, db)) for part in snapshot.parts]
    whole = pyarrow.concat_tables(tables)
    assert whole.num_rows == ROWS and sorted(whole["id"].to_pylist()) == list(range(1, ROWS + 1))
    with pytest.raises(opskit.NotFoundError, match="gone"):
        opskit.read_part(snapshot.parts[0], db)
    with db.snapshot(query="select i from generate_series(1, 10) i") as snapshot:
        (part,) = snapshot.parts
        assert opskit.read_part(part, db).num_rows == 10


def kill_backends(sql):
    sql("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
    # Told to go is not gone.
    left = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    while sql(left).fetchone()[0]:
        time.sleep(0.01)


def test_a_lost_snapshot_is_told(db, sql, repository):
    with pytest.raises(opskit.OpskitError), db.snapshot("orders"):
        kill_backends(sql)
    with db.backup.fan_out(repository) as plan:
        kill_backends(sql)
        with pytest.raises(opskit.OpskitError):
            opskit.run_part(plan.parts[0], repository, db)
        with pytest.raises(opskit.OpskitError):
            plan.commit([])
    assert repository.list() == ()


# What workers call. They are processes of their own, and have this from the environment.
def reach():
    return opskit.connect(os.environ["OPSKIT_TEST_WORKER_URL"])


def reach_and_die_once():
    """The first worker dies while it reads its part, before it can answer."""
    flag = pathlib.Path(os.environ["OPSKIT_TEST_FLAG"])
    try:
        flag.touch(exist_ok=False)
    except FileExistsError:
        return reach()
    os.kill(os.getpid(), signal.SIGKILL)


def reach_and_die():
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def client(url, tmp_path, monkeypatch):
    import dask
    import distributed

    monkeypatch.setenv("OPSKIT_TEST_WORKER_URL", url)
    monkeypatch.setenv("OPSKIT_TEST_FLAG", str(tmp_path / "died"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(pathlib.Path(__file__).parent)]))
    with dask.config.set({"distributed.scheduler.allowed-failures": 2, "distributed.admin.tick.limit": "60s"}):
        with (
            distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client


def test_dask_workers_make_a_backup(db, repository, client):
    import opskit.dask

    report = opskit.dask.backup(client, repository, db=db, connect=reach, part_bytes=PART)
    assert report.rows == ROWS + 1
    repository.verify(report.id, level="decode").check()


def test_a_killed_worker_costs_its_part_once_more(db, repository, client, tmp_path):
    import opskit.dask

    report = opskit.dask.backup(client, repository, db=db, connect=reach_and_die_once, part_bytes=PART)
    assert (tmp_path / "died").exists() and report.rows == ROWS + 1
    repository.verify(report.id, level="decode").check()


def test_workers_that_always_die_leave_no_backup(db, repository, client):
    import distributed
    import opskit.dask

    with pytest.raises(distributed.KilledWorker):
        opskit.dask.backup(client, repository, db=db, connect=reach_and_die)
    assert repository.list() == ()


def test_a_table_is_a_dask_dataframe_of_one_snapshot(db, sql, client):
    import opskit.dask

    with opskit.dask.read_table("orders", db=db, connect=reach, part_bytes=PART) as orders:
        assert orders.npartitions > 5 and list(orders.columns) == ["id", "total", "note"]
        sql("delete from orders where id > 10")
        assert len(orders) == ROWS
        assert orders["id"].sum().compute() == ROWS * (ROWS + 1) // 2
        first = orders.get_partition(0).compute()
        assert first["id"].iloc[0] == 1 and str(first["total"].dtype) == "decimal32(9, 2)[pyarrow]"
    with pytest.raises(opskit.NotFoundError):
        orders["id"].sum().compute()
