"""A throw-away Postgres for the comparison: one directory, one Unix socket, no TCP."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

DATABASE = "bench"
USER = "postgres"
# Names the socket file; nothing listens on it.
PORT = 5432
# The kernel's limit for a socket address is 107 bytes, the file name included.
SOCKET_PATH_MAX = 90


class ServerError(Exception):
    """The scratch server could not be made, started or asked."""


@dataclass(frozen=True)
class Account:
    """The account the server runs as; Postgres refuses to be root."""

    uid: int
    gid: int

    @staticmethod
    def choose() -> Account | None:
        """Returns `postgres` or `nobody` for root, and None (stay who we are) for everybody else."""
        if os.geteuid() != 0:
            return None
        for name in ("postgres", "nobody"):
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return Account(entry.pw_uid, entry.pw_gid)
        raise ServerError("running as root, and there is neither a user postgres nor a user nobody")


class Server:
    """A Postgres cluster in `home`, made on first use and found again by `state.json`."""

    def __init__(self, home: Path, pg_bin: Path) -> None:
        self.home = home.resolve()
        self.pg_bin = pg_bin
        self.account = Account.choose()
        self.state: dict = {}
        if self._state_file.exists():
            self.state = json.loads(self._state_file.read_text())

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def sockets(self) -> Path:
        return self.home / "socket"

    @property
    def _state_file(self) -> Path:
        return self.home / "state.json"

    @property
    def url(self) -> str:
        """The server's URL; only users who may enter the socket's directory get in, so it has no password."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """The URL of one of its databases."""
        return f"postgresql://{USER}@/{database}?host={self.sockets}&port={PORT}"

    @property
    def dsn(self) -> str:
        """The same as keywords, for clients that do not read URLs."""
        return f"host={self.sockets} port={PORT} user={USER} dbname={DATABASE}"

    @property
    def url_with_host(self) -> str:
        """The same for clients that want the socket where a host name stands."""
        return self.url_with_host_of(DATABASE)

    def url_with_host_of(self, database: str) -> str:
        """That of one of its databases."""
        return f"postgresql://{USER}@{quote(str(self.sockets), safe='')}:{PORT}/{database}"

    def remember(self, **values: object) -> None:
        """Adds to the state that a later run reads."""
        self.state.update(values)
        draft = self._state_file.with_suffix(".new")
        draft.write_text(json.dumps(self.state, indent=2) + "\n")
        draft.replace(self._state_file)

    def create(self) -> None:
        """Runs initdb; does nothing when the cluster is there."""
        if (self.data / "PG_VERSION").exists():
            return
        if len(str(self.sockets)) > SOCKET_PATH_MAX:
            raise ServerError(f"the path {self.home} is too long for a Unix socket; choose a shorter one")
        self.home.mkdir(parents=True, exist_ok=True)
        if self.account:
            self.home.chmod(0o711)
        for folder in (self.data, self.sockets):
            folder.mkdir(mode=0o700, exist_ok=True)
            if self.account:
                os.chown(folder, self.account.uid, self.account.gid)
        self._run("initdb", "-D", str(self.data), "-U", USER, "-A", "trust", "-E", "UTF8", "--no-locale", "-N")
        with (self.data / "postgresql.conf").open("a") as conf:
            conf.write("\ninclude 'bench.conf'\n")

    def start(self) -> bool:
        """Starts the server; returns False when it was running already."""
        if self.running():
            return False
        self._write_settings()
        log = self.data / "server.log"
        try:
            self._run("pg_ctl", "-D", str(self.data), "-l", str(log), "-w", "-t", "60", "start")
        except ServerError as error:
            tail = log.read_text()[-2000:] if log.exists() else ""
            raise ServerError(f"{error}\n{tail}") from None
        if not self.sql("select 1 from pg_database where datname = 'bench'", database="postgres"):
            self.sql("create database bench", database="postgres")
        return True

    def stop(self) -> None:
        """Stops the server if it runs."""
        if self.running():
            self._run("pg_ctl", "-D", str(self.data), "-m", "fast", "-w", "stop")

    def remove(self) -> None:
        """Stops the server and deletes the directory."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def running(self) -> bool:
        if not (self.data / "postmaster.pid").exists():
            return False
        done = self._try("pg_ctl", "-D", str(self.data), "status")
        return done.returncode == 0

    def sql(self, text: str, database: str = DATABASE) -> str:
        """Runs SQL through psql and returns what it printed, unaligned."""
        done = subprocess.run(
            [*self.psql(database), "-c", text], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise ServerError(f"psql failed: {done.stderr.strip()}")
        return done.stdout.strip()

    def psql(self, database: str = DATABASE) -> list[str]:
        """The start of a psql command line."""
        tool = str(self.pg_bin / "psql")
        place = ["-h", str(self.sockets), "-p", str(PORT), "-U", USER, "-d", database]
        return [tool, "-XAtq", "-v", "ON_ERROR_STOP=1", *place]

    def _write_settings(self) -> None:
        megabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
        settings = {
            "listen_addresses": "''",
            "port": PORT,
            "unix_socket_directories": f"'{self.sockets}'",
            "shared_buffers": f"{min(4096, megabytes // 4)}MB",
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "autovacuum": "off",
            "jit": "off",
            "max_wal_size": "16GB",
            "checkpoint_timeout": "1d",
            "maintenance_work_mem": "256MB",
            "wal_level": "minimal",
            "max_wal_senders": 0,
        }
        lines = [f"{name} = {value}\n" for name, value in settings.items()]
        (self.data / "bench.conf").write_text("".join(lines))

    def _run(self, tool: str, *args: str) -> None:
        done = self._try(tool, *args)
        if done.returncode != 0:
            raise ServerError(f"{tool} failed: {done.stdout.strip()}")

    def _try(self, tool: str, *args: str) -> subprocess.CompletedProcess[str]:
        identity: dict = {}
        if self.account:
            identity = {"user": self.account.uid, "group": self.account.gid, "extra_groups": []}
        # pg_ctl's server keeps our pipe open, so what it prints goes to a file.
        with (self.home / f"{tool}.out").open("w+") as out:
            code = subprocess.call(
                [str(self.pg_bin / tool), *args],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                cwd="/", start_new_session=True, **identity,
            )
            out.seek(0)
            return subprocess.CompletedProcess(args, code, out.read())
