"""A throw-away server for the tests of the package, and a database for each test."""

import itertools
import os
import pathlib
import subprocess
import tempfile

import psycopg
import pytest

NUMBERS = itertools.count(1)


def program(name):
    found = pathlib.Path(os.environ["OPSKIT_BIN"]).parent / name
    assert found.exists(), f"{found} is missing: build the workspace's binaries first"
    return found


@pytest.fixture(scope="session")
def server():
    """The URL of the server's database `postgres`."""
    with tempfile.TemporaryDirectory(prefix="opskit-python-", dir="/var/tmp") as place:
        os.chmod(place, 0o777)
        command = [program("opskit-test-server"), "hold", place]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
            url = holder.stdout.readline().strip()
            assert url.startswith("postgres"), url
            yield url
            holder.stdin.close()
            assert holder.wait(timeout=60) == 0


@pytest.fixture
def url(server):
    """The URL of an empty database."""
    name = f"python_{next(NUMBERS)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"create database {name}")
    yield server.replace("/postgres?", f"/{name}?")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def sql(url):
    """Runs a statement in the database, by a client that is not ours."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection.execute
