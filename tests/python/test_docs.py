"""Examples in docstrings run; types are right for two checkers."""

import doctest
import os
import pathlib
import subprocess
import sys

import opskit
import psycopg
import pytest

PACKAGE = pathlib.Path(opskit.__file__).parent


def examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    named = [getattr(opskit, name) for name in opskit.__all__]
    public = [one for one in named if getattr(one, "__module__", "").startswith("opskit._")]
    for one in public:
        yield from (test for test in finder.find(one, one.__name__, globs={}) if test.examples)


EXAMPLES = list(examples())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_runs(example, url, server, sql, tmp_path, monkeypatch):
    sql("create table orders (id int primary key, total numeric(9, 2))")
    sql("insert into orders select i, i / 2.0 from generate_series(1, 1000) i")
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "1_customers.sql").write_text("create table customers (id int primary key)")
    monkeypatch.chdir(tmp_path)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("create database examples")
        try:
            empty = opskit.connect(server.replace("/postgres?", "/examples?"))
            repository = opskit.Repository("backups", create=True)
            names = {"opskit": opskit, "url": url, "db": opskit.connect(url), "repository": repository, "empty": empty}
            example.globs.update(names)
            said = []
            result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=said.append)
            assert result.failed == 0, "".join(said)
        finally:
            connection.execute("drop database examples with (force)")


def test_there_are_examples_for_the_main_things():
    with_examples = {example.name for example in EXAMPLES}
    for name in ("connect", "Database.export", "Backups.run", "Restores.run", "Repository.drill", "Migrations.apply"):
        assert name in with_examples, sorted(with_examples)


@pytest.mark.parametrize(
    "arguments",
    [
        ["mypy.stubtest", "opskit._opskit"],
        ["mypy", "--strict", "-p", "opskit"],
        ["pyright", "--warnings", str(PACKAGE)],
    ],
    ids=lambda arguments: arguments[0],
)
def test_types_and_stubs_are_right(arguments, tmp_path):
    environment = {**os.environ, "MYPYPATH": str(PACKAGE.parent)}
    if arguments[0] == "pyright":
        arguments = [*arguments, "--pythonpath", sys.executable]
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
