"""Events as an iterator, in the log, and as a bar."""

import asyncio
import io
import logging
import threading

import opskit
import pytest


@pytest.fixture
def db(url, sql):
    sql("create table orders (id int primary key)")
    sql("insert into orders select generate_series(1, 1000)")
    return opskit.connect(url)


@pytest.fixture
def repository(tmp_path):
    return opskit.Repository(tmp_path / "backups", create=True)


def test_events_are_iterated_over(db, repository):
    backup = opskit.watch(db.backup.run, repository, jobs=1)
    with pytest.raises(opskit.InvalidInputError):
        _ = backup.result
    kinds = [event["event"] for event in backup]
    assert kinds[0] == "run-started" and kinds[-1] == "run-finished"
    assert backup.result.rows == 1000
    with pytest.raises(opskit.InvalidInputError):
        list(backup)


def test_events_are_iterated_over_in_a_loop(db, repository):
    async def main():
        backup = opskit.watch(db.backup.run_async, repository)
        kinds = [event["event"] async for event in backup]
        assert kinds[-1] == "run-finished" and backup.result.rows == 1000

    asyncio.run(main())


def test_an_error_comes_out_of_the_iteration(db, repository):
    with pytest.raises(opskit.NotFoundError):
        list(opskit.watch(db.backup.run, repository, only=["nothing"]))

    async def main():
        with pytest.raises(opskit.NotFoundError):
            async for _ in opskit.watch(db.backup.run_async, repository, only=["nothing"]):
                pass

    asyncio.run(main())


def test_leaving_the_loop_cancels(db, repository, sql):
    for event in opskit.watch(db.backup.run, repository):
        assert event["event"] == "run-started"
        break
    assert repository.list() == ()
    assert not [thread for thread in threading.enumerate() if thread.name == "opskit-watch"]

    async def main():
        events = aiter(opskit.watch(db.backup.run_async, repository))
        await anext(events)
        await events.aclose()

    asyncio.run(main())
    assert repository.list() == ()


def test_warnings_are_logged(db, sql, repository, caplog):
    sql("create table parent (i int)")
    sql("create table child () inherits (parent)")
    with caplog.at_level(logging.DEBUG, logger="opskit"):
        db.backup.run(repository)
    assert any("run-finished" in record.message for record in caplog.records)
    assert all(record.name == "opskit" for record in caplog.records)


def test_a_bar_is_shown(db, repository):
    shown = io.StringIO()
    report = db.backup.run(repository, on_event=opskit.Progress(file=shown, mininterval=0))
    assert "100%" in shown.getvalue() and f"rows={report.rows}" in shown.getvalue().replace(",", "")
