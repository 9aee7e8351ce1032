"""From samples to tables: medians, ratios, and the bars that must hold."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from measure import Sample
from rivals import FLOOR, OURS

MIB = 2**20


@dataclass(frozen=True)
class Line:
    """One program on one table, over all rounds."""

    name: str
    walls: list[float]
    cpu_seconds: float
    peak_bytes: int
    output_bytes: int

    @staticmethod
    def of(name: str, samples: list[Sample], output_bytes: int) -> Line:
        walls = [sample.wall_seconds for sample in samples]
        cpu = median(sample.cpu_seconds for sample in samples)
        return Line(name, walls, cpu, max(sample.peak_bytes for sample in samples), output_bytes)

    @property
    def wall_seconds(self) -> float:
        return median(self.walls)


Lines = dict[str, Line]


@dataclass(frozen=True)
class Bar:
    """One promise and what was measured."""

    what: str
    found: float
    limit: float
    at_most: bool
    unit: str = "×"

    @property
    def holds(self) -> bool:
        return self.found <= self.limit if self.at_most else self.found >= self.limit

    def __str__(self) -> str:
        sign = "≤" if self.at_most else "≥"
        verdict = "PASS" if self.holds else "FAIL"
        return f"{verdict}  {self.what}: {self.found:.2f} {self.unit} (bar {sign} {self.limit:g} {self.unit})"


# table → what our time may be of the floor's, and how much slower each peer must be
WALL_BARS = {
    "lineitem": (0.90, {"DuckDB": 1.15, "ADBC": 2.5, "connector-x": 2.5, "pg_dump -Fc": 6.0}),
    "payments": (0.95, {"DuckDB": 1.1, "ADBC": 1.3, "connector-x": 2.0, "pg_dump -Fc": 5.0}),
}
ONE_JOB_BAR = 1.2
CPU_BARS = {"DuckDB": 0.75, "ADBC": 0.30}
PEAK_BAR_MIB = 256


def best_of_ours(lines: Lines) -> Line | None:
    """Our fastest number of jobs."""
    mine = [lines[name] for name in OURS.values() if name in lines]
    return min(mine, key=lambda line: line.wall_seconds, default=None)


def bars(results: dict[str, Lines]) -> list[Bar]:
    """Every bar that what was run can decide."""
    found: list[Bar] = []
    for table, lines in results.items():
        best = best_of_ours(lines)
        if best:
            found += _bars_of(table, lines, best)
    return found


def _bars_of(table: str, lines: Lines, best: Line) -> list[Bar]:
    found = []
    of_floor, faster_than = WALL_BARS[table]
    floor, one_job = lines.get(FLOOR), lines.get(OURS[1])
    if floor:
        ratio = best.wall_seconds / floor.wall_seconds
        found.append(Bar(f"{table}: wall against the floor", ratio, of_floor, at_most=True))
    for peer, limit in faster_than.items():
        if peer in lines:
            ratio = lines[peer].wall_seconds / best.wall_seconds
            found.append(Bar(f"{table}: faster than {peer}", ratio, limit, at_most=False))
    if floor and one_job:
        ratio = one_job.wall_seconds / floor.wall_seconds
        found.append(Bar(f"{table}: one job against the floor", ratio, ONE_JOB_BAR, at_most=True))
    for peer, limit in CPU_BARS.items():
        if table == "lineitem" and peer in lines:
            ratio = best.cpu_seconds / lines[peer].cpu_seconds
            found.append(Bar(f"{table}: client CPU against {peer}", ratio, limit, at_most=True))
    peak = max(lines[name].peak_bytes for name in OURS.values() if name in lines) / MIB
    found.append(Bar(f"{table}: peak memory", peak, PEAK_BAR_MIB, at_most=True, unit="MiB"))
    return found


def table_markdown(lines: Lines) -> str:
    """One table; the last column is how much longer the program took than our best."""
    return markdown(lines, {"floor": lines.get(FLOOR), "opskit": best_of_ours(lines)})


def markdown(lines: Lines, bases: dict[str, Line | None]) -> str:
    """A table of programs, the fastest first, with a column of ratios for each base."""
    head = ["program", "wall s", "min–max s", *(f"÷ {base}" for base in bases), "client CPU s", "peak MiB", "output MB"]
    rows = [head, ["---"] + ["---:"] * (len(head) - 1)]
    for line in sorted(lines.values(), key=lambda line: line.wall_seconds):
        rows.append([
            line.name,
            f"{line.wall_seconds:.2f}",
            f"{min(line.walls):.2f}–{max(line.walls):.2f}",
            *(_ratio(line, base) for base in bases.values()),
            f"{line.cpu_seconds:.2f}",
            f"{line.peak_bytes / MIB:.0f}",
            f"{line.output_bytes / 1e6:.0f}" if line.output_bytes else "–",
        ])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _ratio(line: Line, base: Line | None) -> str:
    return f"{line.wall_seconds / base.wall_seconds:.2f}" if base else "–"


PREAMBLE = """\
## Export

One scratch server on the same machine as the clients ({settings}); every program exports the
whole table in each of {rounds} rounds, the order moves by one each round, and one round before them is not counted.
The figures are medians. The floor is `psql` reading `COPY … (FORMAT binary)` into nothing.

- *wall*: for Python libraries without the start of the interpreter and the imports; for the others the whole process.
- *client CPU* and *peak*: the client's processes only, not the server's. Peak is the highest of all rounds (sampled).
- *÷ opskit*: against our faster number of jobs.
- Parquet with zstd: level 1 for opskit, ADBC and connector-x (written by pyarrow), DuckDB's default for DuckDB.

Machine: {machine}. Versions: {versions}.
"""


def document(results: dict[str, Lines], facts: dict) -> str:
    """The section of this comparison in `docs/benchmarks.md`."""
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    parts = [PREAMBLE.format(
        settings=facts["settings"], rounds=facts["rounds"], machine=facts["machine"], versions=versions
    )]
    for table, lines in results.items():
        rows, megabytes = facts["rows"][table], facts["bytes"][table] / 1e6
        parts.append(f"### {table}: {rows:,} rows, {megabytes:.0f} MB\n\n{table_markdown(lines)}\n")
    verdicts = bars(results)
    if verdicts:
        parts.append("### Bars\n\n" + "\n".join(f"- {bar}" for bar in verdicts) + "\n")
    return "\n".join(parts)
