"""How a server is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from opskit import _opskit
from opskit._document import Document
from opskit._reports import JsonObject, Verdict
from opskit._run import encode

if TYPE_CHECKING:
    from opskit._opskit import Operation, Source

_STATES = ("skipped", "pass", "warn", "unknown", "fail")


class HealthOptions(TypedDict, total=False):
    """What is asked. Whatever is not given has its default."""

    only: Sequence[str]
    """The ids of the probes, or their first words (`locks`). All, where none is given."""
    deadline: float | timedelta
    """How long the run may take, in seconds. Default 30."""
    probe_deadline: float | timedelta
    """How long one probe may take, in seconds. Default 5."""


@dataclass(frozen=True, slots=True)
class HealthFinding(Document):
    """What a probe found about one object."""

    object: str
    state: str
    detail: str


@dataclass(frozen=True, slots=True)
class ProbeResult(Document):
    """What one probe found. `state` is `skipped`, `pass`, `warn`, `unknown` or `fail`."""

    id: str
    remedy: str
    state: str
    reason: str | None
    because: str | None
    cure: str | None
    findings: tuple[HealthFinding, ...]
    sample: Any
    elapsed_ms: int


@dataclass(frozen=True, slots=True)
class HealthReport(Verdict):
    """What a run found. What could not be seen is `unknown`, and not `ok`."""

    format: int
    server: JsonObject
    started_at: str
    elapsed_ms: int
    results: tuple[ProbeResult, ...]

    @property
    def worst(self) -> str:
        """The worst state of all. A run in which nothing was asked saw nothing."""
        return max((result.state for result in self.results), key=_STATES.index, default="unknown")

    @property
    def ok(self) -> bool:
        """Whether nothing failed and everything could be seen."""
        return self.worst not in ("unknown", "fail")

    def _why(self) -> str:
        bad = (result for result in self.results if result.state in ("unknown", "fail"))
        return "; ".join(f"{result.id}: {result.because or _first(result)}" for result in bad)


def _first(result: ProbeResult) -> str:
    return result.findings[0].detail if result.findings else result.state


def ask(source: Source, before: HealthReport | None, options: HealthOptions) -> Operation[str]:
    """Starts a run."""
    earlier = None if before is None else json.dumps(before.to_dict())
    return _opskit.health(source, encode(options, HealthOptions), earlier)


@dataclass(frozen=True, slots=True)
class Probe(Document):
    """A probe that `Database.health` asks: what it looks at, and what to do when it finds something."""

    id: str
    about: str
    remedy: str


def probes() -> tuple[Probe, ...]:
    """The probes that there are.

    >>> any(probe.id.startswith("locks") for probe in opskit.probes())
    True
    """
    return tuple(Probe.from_dict(one) for one in json.loads(_opskit.health_probes()))
