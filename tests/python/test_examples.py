"""The programs in examples/python do what they say."""

import asyncio
import importlib.util
import os
import pathlib
import subprocess
import sys

import opskit
import pytest

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples" / "python"


def run(name, *arguments, url, cwd):
    command = [sys.executable, EXAMPLES / f"{name}.py", *arguments]
    environment = {**os.environ, "DATABASE_URL": url}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd, timeout=120)


@pytest.fixture
def shop(url, sql):
    sql("create table orders (id int primary key, total numeric(9, 2))")
    sql("insert into orders select i, i / 2.0 from generate_series(1, 1000) i")
    return url


def test_a_nightly_backup_and_a_drill_report(shop, tmp_path):
    done = run("nightly_backup", "backups", url=shop, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1000 rows" in done.stderr
    (backup,) = opskit.Repository(tmp_path / "backups").list()
    done = run("drill_report", "backups", "drill.html", url="postgresql://nobody@localhost:1/none", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "drill.html").read_text()
    assert backup.id in page and "passed" in page and "there are orders" in page
    done = run("nightly_backup", "backups", url="postgresql://nobody@127.0.0.1:1/none", cwd=tmp_path)
    assert done.returncode == 75 and "connection" in done.stderr, done.stderr


def test_an_export_to_polars(shop, tmp_path):
    done = run("export_to_polars", "public.orders", url=shop, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1000" in done.stdout and "largest batch" in done.stdout


@pytest.fixture
def app(monkeypatch):
    def load(url):
        monkeypatch.setenv("DATABASE_URL", url)
        spec = importlib.util.spec_from_file_location("health_app", EXAMPLES / "health_app.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.app

    return load


def answers(app, times):
    import httpx

    async def main():
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            return await asyncio.gather(*(client.get("/health") for _ in range(times)))

    return asyncio.run(main())


def test_health_behind_an_endpoint(shop, app):
    first, *others = answers(app(shop), 5)
    said = first.json()
    assert first.status_code == (200 if said["ok"] else 503)
    assert said["worst"] in ("pass", "warn", "fail", "unknown", "skipped")
    assert all(one.json() == said for one in others)
    (gone,) = answers(app("postgresql://nobody@127.0.0.1:1/none"), 1)
    assert gone.status_code == 503 and gone.json()["worst"] == "unknown"
