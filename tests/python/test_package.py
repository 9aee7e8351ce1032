"""The Python package apart from exports: backups, migrations, schemas, documents, types, the wheel itself."""

import asyncio
import json
import os
import pathlib
import pickle
import re
import subprocess
import sys

import opskit
import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def db(url, sql):
    sql("create table orders (id int primary key, total numeric(9, 2))")
    sql("insert into orders select i, i / 2.0 from generate_series(1, 1000) i")
    return opskit.connect(url)


@pytest.fixture
def repository(tmp_path):
    return opskit.Repository(tmp_path / "backups", create=True)


@pytest.fixture
def empty(server):
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("create database restored")
        yield opskit.connect(server.replace("/postgres?", "/restored?"))
        connection.execute("drop database restored with (force)")


def test_a_backup_goes_all_the_way(db, repository, empty):
    plan = db.backup.plan(tags={"why": "test"})
    assert plan.ok and plan.tables[0].name == "public.orders"
    events = []
    report = db.backup.run(repository, on_event=events.append, jobs=1)
    assert (report.rows, report.tables[0].table, report.type) == (1000, "public.orders", "full")
    assert {"run-started", "part-finished", "run-finished"} <= {event["event"] for event in events}
    (listed,) = repository.list()
    assert (listed.id, listed.error, listed.encrypted) == (report.id, None, False)
    for level in ("list", "hash", "decode"):
        looked = repository.verify(report.id, level=level)
        looked.check()
        assert looked.level == level
    planned = empty.restore.plan("latest", repository)
    assert planned.ok and planned.tables[0].rows == 1000
    restored = empty.restore.run("latest", repository)
    restored.check()
    assert restored.rows == 1000 and restored.compared
    assert empty.export("public.orders").read_all().num_rows == 1000
    again = empty.restore.plan("latest", repository)
    assert not again.ok
    with pytest.raises(opskit.CheckFailedError):
        again.check()
    with pytest.raises(opskit.UnsupportedError):
        empty.restore.run("latest", repository)


def test_damage_is_found(db, repository):
    report = db.backup.run(repository)
    (part,) = pathlib.Path(report.location).glob("data/*/*.parquet")
    text = bytearray(part.read_bytes())
    text[len(text) // 2] ^= 1
    part.write_bytes(text)
    looked = repository.verify()
    assert not looked.ok and "parquet" in looked.faults[0].object
    with pytest.raises(opskit.CheckFailedError, match="parquet"):
        looked.check()


def test_a_drill_passes(db, repository):
    db.backup.run(repository)
    report = repository.drill(checks=["select 'orders', count(*) = 1000, count(*)::text from public.orders"])
    report.check()
    assert report.outcome == "passed" and report.restore.ok and report.recovery_ms > 0
    failed = repository.drill(checks=["select 'orders', false, 'no'"])
    assert failed.outcome == "failed" and not failed.ok
    assert "<table>" in failed._repr_html_()


def test_everything_has_an_asynchronous_twin(db, tmp_path):
    async def main():
        repository = await opskit.Repository.open_async(tmp_path / "async", create=True)
        async with db:
            plan, version = await asyncio.gather(db.backup.plan_async(), db.server_version_async())
            assert plan.ok and version >= 130000
            events = []
            report = await db.backup.run_async(repository, on_event=events.append)
            assert events[-1]["event"] == "run-finished"
        assert (await repository.list_async())[0].id == report.id
        assert (await repository.verify_async(level="decode")).ok
        assert (await repository.drill_async()).ok
        assert "CREATE TABLE" in await db.schema.sql_async()

    asyncio.run(main())
    for cls in (opskit.Backups, opskit.Restores, opskit.Migrations, opskit.Schemas):
        names = [name for name in vars(cls) if not name.startswith("_")]
        lacking = [name for name in names if not name.endswith("_async") and f"{name}_async" not in names]
        assert not lacking, (cls, lacking)


def test_an_encrypted_backup_needs_its_key(db, tmp_path):
    key = tmp_path / "key"
    made = subprocess.run([os.environ["OPSKIT_BIN"], "keys", "new", key], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    public = re.search(r"age1[a-z0-9]+", key.read_text() + made.stdout + made.stderr)[0]
    sealed = opskit.Repository(tmp_path / "sealed", create=True, recipients=[public], identities=[key])
    assert db.backup.run(sealed).encryption
    assert sealed.list()[0].encrypted and sealed.verify(level="decode").ok
    with pytest.raises(opskit.OpskitError):
        opskit.Repository(tmp_path / "sealed").verify(level="decode").check()


def test_places_that_are_not_there(tmp_path):
    with pytest.raises(opskit.NotFoundError):
        opskit.Repository(tmp_path / "nothing")
    with pytest.raises(TypeError, match="creat"):
        opskit.Repository(tmp_path, creat=True)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "1_customers.sql").write_text("create table customers (id int primary key)")
    return folder


def test_migrations(db, repository, folder, tmp_path):
    status = db.migrate.status(folder)
    assert [one.standing for one in status.migrations] == ["pending"] and not status.ok
    plan = db.migrate.plan(folder)
    assert plan.migrations[0].statements
    (folder / "2_more.sql").write_text("alter table customers add name text")
    with pytest.raises(opskit.BusyError):
        db.migrate.apply(folder, backup_to=None, plan=plan)
    db.backup.run(repository)
    rehearsed = db.migrate.rehearse(folder, "latest", repository)
    assert len(rehearsed.applied) == 2 and rehearsed.failure is None
    report = db.migrate.apply(folder, backup_to=repository, plan=db.migrate.plan(folder))
    report.check()
    assert report.outcome["is"] == "applied" and report.backup
    assert db.migrate.status(folder).ok
    (folder / "3_bad.sql").write_text("select 1 / 0")
    failed = db.migrate.apply(folder, backup_to=None)
    assert not failed.ok and failed.failure["sqlstate"] == "22012"
    with pytest.raises(opskit.CheckFailedError, match="division by zero"):
        failed.check()
    suite = tmp_path / "test.sql"
    suite.write_text("select 'there', count(*) = 0, '' from customers")
    (tested,) = db.migrate.verify(suite)
    assert tested.ok and len(tested.tests) == 1
    with pytest.raises(TypeError):
        db.migrate.apply(folder)


def test_a_schema_is_compared(db, sql):
    before = db.schema.snapshot()
    assert db.schema.diff(before).ok
    sql("alter table orders add note text")
    diff = db.schema.diff(before, objects_only=True)
    assert not diff.ok and "orders" in diff.text
    with pytest.raises(opskit.CheckFailedError, match="orders"):
        diff.check()


def test_health_is_asked(db):
    report = db.health(only=["locks"])
    assert report.results and all(result.id.startswith("locks") for result in report.results)
    assert report.ok == (report.worst in ("skipped", "pass", "warn"))
    whole = db.health(before=db.health())
    assert len(whole.results) > len(report.results)
    assert type(whole).from_dict(whole.to_dict()) == whole
    with pytest.raises(opskit.InvalidInputError):
        db.health(only=["nothing-like-that"])


def test_what_cannot_be_seen_is_not_healthy():
    result = {"id": "a.b", "remedy": "", "state": "unknown", "because": "no grant", "elapsed_ms": 1}
    report = opskit.HealthReport.from_dict(
        {"format": 1, "server": {}, "started_at": "", "elapsed_ms": 1, "results": [result]}
    )
    assert report.worst == "unknown" and not report.ok
    with pytest.raises(opskit.CheckFailedError, match="no grant"):
        report.check()
    assert not opskit.HealthReport.from_dict({**report.to_dict(), "results": []}).ok


def test_documents_are_values(db, repository):
    report = db.backup.run(repository)
    assert pickle.loads(pickle.dumps(report)) == report
    assert type(report).from_dict(json.loads(json.dumps(report.to_dict()))) == report
    assert repr(report).startswith(f"BackupReport(id='{report.id}'")
    with pytest.raises(AttributeError):
        report.rows = 0
    assert report.id in report._repr_html_()


def test_a_failing_listener_ends_the_operation(db, repository):
    def fail(event):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        db.backup.run(repository, on_event=fail)
    assert repository.list() == ()


def fresh(*arguments, **options):
    python = os.environ.get("OPSKIT_TEST_FRESH_PYTHON", sys.executable)
    # Isolated, so that it has what is in its own environment alone.
    return subprocess.run([python, "-I", *arguments], capture_output=True, text=True, **options)


def snippets(page):
    return re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", ["README.md", "docs/python.md", "opskit-py/README.md"])
def test_snippets_work_with_nothing_else_installed(page, db, url, sql, tmp_path):
    sql("create schema if not exists public")
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "1_customers.sql").write_text("create table customers (id int primary key)")
    code = "\n".join(snippets(page))
    assert "import opskit" in code
    environment = {**os.environ, "DATABASE_URL": url}
    done = fresh("-c", code, cwd=tmp_path, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "backups" / "backups").is_dir()


def test_the_wheel_has_the_command(db, url, tmp_path):
    done = fresh("-m", "opskit", "--version")
    assert (done.returncode, done.stdout.split()[0]) == (0, "opskit"), done.stderr
    assert opskit.__version__ in done.stdout
    done = fresh("-m", "opskit", "export", "public.nothing", "-o", tmp_path / "x.parquet", "--db", url)
    assert done.returncode == 66 and "nothing" in done.stderr
    done = fresh("-m", "opskit", "export", "public.orders", "-o", "-", "--format", "csv", "--db", url)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 1001
