"""What tables hold, and what changed since."""

import asyncio

import opskit
import pytest


@pytest.fixture
def db(url, sql):
    sql("create table orders (id int primary key, amount int)")
    sql("insert into orders select i, i from generate_series(1, 100) i")
    return opskit.connect(url)


def test_a_changed_amount_shows_and_an_order_of_rows_does_not(db, sql):
    before = db.state(tables=["orders"])
    assert [(str(table.table), table.rows) for table in before.tables] == [("public.orders", 100)]
    assert opskit.State.from_dict(before.to_dict()) == before
    sql("create table copy as select * from orders order by amount desc")
    sql("truncate orders")
    sql("insert into orders select * from copy")
    assert db.changes(before).ok
    sql("update orders set amount = 0 where id = 7")
    changes = db.changes(before)
    assert [(str(change.table), change.change) for change in changes.changes] == [("public.orders", "other")]
    with pytest.raises(opskit.CheckFailedError, match="public.orders"):
        changes.check()
    sql("drop table orders")
    (gone,) = asyncio.run(db.changes_async(before)).changes
    assert (gone.change, gone.is_loss, gone.before, gone.after) == ("gone", True, 100, None)


def test_states_of_two_times_are_compared_without_a_database(db, sql):
    before = asyncio.run(db.state_async())
    sql("insert into orders values (101, 101)")
    (more,) = before.diff(db.state()).changes
    assert (more.change, more.before, more.after) == ("more", 100, 101)
    with pytest.raises(opskit.NotFoundError):
        db.state(tables=["nowhere"])
