"""A place of backups."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from opskit._opskit import Store
from opskit._reports import DrillReport, ListedBackup, VerifyReport
from opskit._run import OnEvent, encode, run_async, run_sync
from opskit._upkeep import Upkeep

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from opskit._database import Database
    from opskit._opskit import Operation


class RepositoryOptions(TypedDict, total=False):
    """Keys of a repository, and whether it is made."""

    create: bool
    """Make it where it is not there."""
    recipients: Sequence[str]
    """Public age keys that backups are encrypted for."""
    identities: Sequence[str | os.PathLike[str]]
    """Files with the age keys that open backups."""
    signing_key: str | os.PathLike[str]
    """A file with the key that signs backups."""
    signers: Sequence[str]
    """Whose signatures count. Where some are given, a backup needs one of them."""
    accept_clear: bool
    accept_unsigned: bool


class DrillOptions(TypedDict, total=False):
    """How a drill is done. Whatever is not given has its default."""

    bin_dir: str | os.PathLike[str]
    """The directory of the throw-away server's programs. The oldest that will do, where it is not given."""
    checks: Sequence[str]
    """Queries, each of whose rows is `name, ok, detail`."""
    trust_backup: bool
    jobs: int


class _VerifyKeys(TypedDict):
    level: str


class Repository(Upkeep):
    """A directory, or a place on S3, Google Cloud Storage or Azure, with backups: `backups`, `s3://bucket/prefix`.

    Credentials of object stores come from the environment.

        repository = opskit.Repository("backups", create=True)
        report = repository.verify("latest", level="decode")
        report.check()
    """

    _store: Store

    def __init__(
        self,
        place: str | os.PathLike[str],
        *,
        passphrase: str | None = None,
        **options: Unpack[RepositoryOptions],
    ) -> None:
        self._store = run_sync(_open(place, passphrase, options))

    @classmethod
    async def open_async(
        cls,
        place: str | os.PathLike[str],
        *,
        passphrase: str | None = None,
        **options: Unpack[RepositoryOptions],
    ) -> Repository:
        """Opens a repository without blocking the event loop."""
        new = cls.__new__(cls)
        new._store = await run_async(_open(place, passphrase, options))
        return new

    @property
    def id(self) -> str:
        """Its identity."""
        return self._store.id

    @property
    def place(self) -> str:
        """Where it is, without credentials."""
        return self._store.place

    def list(self) -> tuple[ListedBackup, ...]:
        """The backups, the oldest first. One whose manifests cannot be read has an `error`.

        >>> report = db.backup.run(repository)
        >>> [backup.id == report.id for backup in repository.list()]
        [True]
        """
        return _listed(run_sync(self._store.list()))

    async def list_async(self) -> tuple[ListedBackup, ...]:
        """The backups, the oldest first."""
        return _listed(await run_async(self._store.list()))

    def verify(
        self, backup: str = "latest", *, level: Literal["list", "hash", "decode"] = "hash", on_event: OnEvent = None
    ) -> VerifyReport:
        """Looks whether a backup is what its manifest says. Faults are in the report: look at `ok`, or `check()`.

        `list` looks at names and sizes, `hash` at every byte too, `decode` at every row too.

        >>> report = db.backup.run(repository)
        >>> repository.verify("latest", level="decode").ok
        True
        """
        return VerifyReport.from_json(run_sync(self._verify(backup, level), on_event))

    async def verify_async(
        self, backup: str = "latest", *, level: Literal["list", "hash", "decode"] = "hash", on_event: OnEvent = None
    ) -> VerifyReport:
        """Looks whether a backup is what its manifest says, as `verify` does."""
        return VerifyReport.from_json(await run_async(self._verify(backup, level), on_event))

    def drill(
        self,
        backup: str = "latest",
        *,
        to: Database | None = None,
        on_event: OnEvent = None,
        **options: Unpack[DrillOptions],
    ) -> DrillReport:
        """Restores a backup on a throw-away server (or into the empty database `to`), compares, and measures.

        The outcome is in the report: look at `ok`, or `check()`. Raises `NotFoundError` when no server of its version
        or a newer one is installed, `DamagedError` when the backup is damaged.

        >>> report = db.backup.run(repository)
        >>> drill = repository.drill(checks=["select 'orders', count(*) > 0, '' from public.orders"])
        >>> drill.outcome
        'passed'
        """
        return DrillReport.from_json(run_sync(self._drill(backup, to, options), on_event))

    async def drill_async(
        self,
        backup: str = "latest",
        *,
        to: Database | None = None,
        on_event: OnEvent = None,
        **options: Unpack[DrillOptions],
    ) -> DrillReport:
        """Restores a backup on a throw-away server, compares, and measures, as `drill` does."""
        return DrillReport.from_json(await run_async(self._drill(backup, to, options), on_event))

    def _verify(self, backup: str, level: str) -> Operation[str]:
        return self._store.verify(backup, encode({"level": level}, _VerifyKeys))

    def _drill(self, backup: str, to: Database | None, options: DrillOptions) -> Operation[str]:
        return self._store.drill(backup, None if to is None else to._source, encode(options, DrillOptions))

    def __repr__(self) -> str:
        return f"<opskit.Repository {self.place}>"


def _open(place: str | os.PathLike[str], passphrase: str | None, options: RepositoryOptions) -> Operation[Store]:
    return Store.open(os.fspath(place), encode(options, RepositoryOptions), passphrase)


def _listed(text: str) -> tuple[ListedBackup, ...]:
    backups: Any = json.loads(text)
    return tuple(ListedBackup.from_dict(one) for one in backups)
