"""The definitions of a database."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypedDict

from opskit import _opskit
from opskit._reports import SchemaDiff
from opskit._run import encode, run_async, run_sync

if TYPE_CHECKING:
    from opskit._opskit import Operation, Source


class _DiffKeys(TypedDict):
    objects_only: bool


class Schemas:
    """The schema of one database."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def sql(self) -> str:
        """The statements that make the schema again.

        >>> "CREATE TABLE" in db.schema.sql()
        True
        """
        return run_sync(_opskit.schema_sql(self._source))

    async def sql_async(self) -> str:
        """The statements that make the schema again."""
        return await run_async(_opskit.schema_sql(self._source))

    def snapshot(self) -> str:
        """The facts about all objects, as the document that `diff` and `opskit schema diff` take. Secrets are salted
        digests."""
        return run_sync(_opskit.schema_snapshot(self._source))

    async def snapshot_async(self) -> str:
        """The facts about all objects, as `snapshot` gives them."""
        return await run_async(_opskit.schema_snapshot(self._source))

    def diff(self, snapshot: str, *, objects_only: bool = False) -> SchemaDiff:
        """What is different here from a snapshot. With `objects_only`, roles and settings are not compared.

        >>> before = db.schema.snapshot()
        >>> db.schema.diff(before).ok
        True
        """
        return _diff(run_sync(self._compare(snapshot, objects_only)))

    async def diff_async(self, snapshot: str, *, objects_only: bool = False) -> SchemaDiff:
        """What is different here from a snapshot, as `diff` says it."""
        return _diff(await run_async(self._compare(snapshot, objects_only)))

    def _compare(self, snapshot: str, objects_only: bool) -> Operation[tuple[str, str, bool]]:
        return _opskit.schema_diff(self._source, snapshot, encode({"objects_only": objects_only}, _DiffKeys))


def _diff(found: tuple[str, str, bool]) -> SchemaDiff:
    document, text, is_same = found
    return SchemaDiff.from_dict({**json.loads(document), "text": text, "is_same": is_same})
