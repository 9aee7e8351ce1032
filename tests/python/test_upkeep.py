"""Keeping a repository, and what is around migrations."""

import asyncio
from datetime import timedelta

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


@pytest.fixture
def three(db, repository):
    return [db.backup.run(repository, tags={"n": str(n)}).id for n in range(3)]


def test_what_is_in_a_backup_and_what_happened(db, repository, three):
    shown = repository.show(three[0])
    assert (shown.manifest.id, shown.contents.tags, shown.signers) == (three[0], {"n": "0"}, ())
    (table,) = shown.contents.tables
    assert (table.name, table.rows) == ("public.orders", 1000) and table.fingerprint
    repository.verify(three[0])
    with pytest.raises(opskit.NotFoundError):
        db.backup.run(repository, only=["nothing"])
    history = repository.history()
    assert sorted(run["status"] for run in history.runs()) == ["failed", "success", "success", "success"]
    assert "verify" in [record["kind"] for record in history.records]
    check = repository.verify_history()
    check.check()
    assert check.records == 5 and check.ends


def test_pins_keep_what_rules_do_not(repository, three):
    repository.verify(three[2])
    pin = repository.pin(three[0], reason="audit", keep=timedelta(days=1))
    assert pin.until and pin.by and pin.id == three[0]
    with pytest.raises(opskit.InvalidInputError):
        repository.pin(three[0])
    with pytest.raises(opskit.InvalidInputError, match="no rule"):
        repository.plan_forget()
    plan = repository.plan_forget(keep_last=1, group_by=())
    kept = {one.id for one in plan.backups if one.action == "keep"}
    assert three[0] in kept and not set(plan.removals) & kept
    stale = type(plan).from_dict({**plan.to_dict(), "removals": [three[0]]})
    with pytest.raises(opskit.BusyError):
        repository.forget(plan=stale, keep_last=1)
    assert len(repository.list()) == 3
    report = repository.forget(plan=plan, keep_last=1)
    assert report.removed == plan.removals and len(repository.list()) == 3 - len(plan.removals)
    repository.unpin(three[0])
    with pytest.raises(opskit.NotFoundError):
        repository.unpin(three[0])


def test_a_second_place(repository, three, tmp_path):
    copied = repository.copy(three[1], tmp_path / "second")
    assert copied.outcome == "copied" and copied.bytes > 0
    assert repository.copy(three[1], tmp_path / "second").outcome == "already_there"
    second = opskit.Repository(tmp_path / "second")
    second.verify(three[1], level="decode").check()
    assert second.id == repository.id


def test_nothing_is_left_to_prune(repository, three):
    plan = repository.plan_prune()
    assert plan.leftovers == () and repository.prune().removed == ()


def test_the_asynchronous_twins(repository, three):
    async def main():
        shown, history, plan = await asyncio.gather(
            repository.show_async(three[0]), repository.history_async(), repository.plan_forget_async(keep_daily=7)
        )
        await repository.pin_async(three[0])
        await repository.unpin_async(three[0])
        return shown.manifest.id, len(history.runs()), plan

    found, runs, plan = asyncio.run(main())
    assert (found, runs) == (three[0], 3) and isinstance(plan, opskit.RetentionPlan)
    names = [name for name in dir(opskit.Repository) if not name.startswith("_") and name not in ("id", "place")]
    assert not [name for name in names if not name.endswith("_async") and f"{name}_async" not in names]


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "1_customers.sql").write_text("create table customers (id int primary key)")
    return folder


def test_drift_is_seen_and_accepted(db, sql, folder):
    with pytest.raises(opskit.NotFoundError):
        db.migrate.drift()
    db.migrate.apply(folder, backup_to=None).check()
    db.migrate.drift().check()
    sql("alter table customers add note text")
    drift = db.migrate.drift()
    assert not drift.ok and "note" in drift.text
    db.migrate.accept_drift()
    assert db.migrate.drift().ok


def test_a_history_that_begins_late_and_a_file_that_changed(db, sql, folder):
    sql("create table customers (id int primary key)")
    assert db.migrate.baseline(folder, "1") == ("1",)
    assert db.migrate.status(folder).ok
    (folder / "1_customers.sql").write_text("create table customers (id int primary key) -- it has few rows")
    # What was declared to be done was not seen to run, from whatever text.
    assert db.migrate.status(folder).ok
    with pytest.raises(opskit.InvalidInputError):
        db.migrate.baseline(folder, "not a version")


def test_probes_are_listed():
    ids = [probe.id for probe in opskit.probes()]
    assert len(ids) > 20 and len(set(ids)) == len(ids)
