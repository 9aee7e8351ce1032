"""Runs one child process and measures wall time, CPU time and peak memory of its whole tree."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

SAMPLE_SECONDS = 0.05


class ChildFailed(Exception):
    """A measured program failed; its last words are the message."""


@dataclass(frozen=True)
class Sample:
    """What one run took. The server's work is not in `cpu_seconds` and `peak_bytes`."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int


def measure(argv: list[str], env: dict[str, str], log: Path, out: Path | None = None) -> Sample:
    """Runs `argv` with its standard output in the file `out`, or discarded.

    A program may write `{"wall_seconds": …, "start_cpu_seconds": …}` to the file named by `OPSKIT_BENCH_NOTE`:
    the time its work took and the CPU it had used before. Python peers do, so that the interpreter's start and its
    imports are not held against them.
    """
    note = log.with_suffix(".note")
    note.unlink(missing_ok=True)
    with log.open("wb") as errors, (out or Path(os.devnull)).open("wb") as told:
        began = time.perf_counter()
        child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=told, stderr=errors,
            env={**os.environ, **env, "OPSKIT_BENCH_NOTE": str(note)},
        )
        watch = _PeakWatch(child.pid)
        watch.start()
        try:
            _, status, used = os.wait4(child.pid, 0)
        except BaseException:
            child.kill()
            child.wait()
            raise
        finally:
            watch.stop()
        wall = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        tail = log.read_text(errors="replace")[-1500:].strip()
        raise ChildFailed(f"{Path(argv[0]).name} ended with status {child.returncode}: {tail}")
    cpu = used.ru_utime + used.ru_stime
    if note.exists():
        own = json.loads(note.read_text())
        wall, cpu = own["wall_seconds"], cpu - own["start_cpu_seconds"]
    return Sample(wall, cpu, _peak(watch.peak_bytes, used.ru_maxrss * 1024))


def _peak(sampled: int, reported: int) -> int:
    """A child's `ru_maxrss` starts at the size of the process that forked it, so small values are ours."""
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return max(sampled, reported) if reported > ours else sampled


class _PeakWatch(threading.Thread):
    """Adds up the high-water marks of a process and its descendants."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._marks: dict[int, int] = {}
        self._ended = threading.Event()

    @property
    def peak_bytes(self) -> int:
        return sum(self._marks.values())

    def run(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            for pid in _tree(self._pid):
                with contextlib.suppress(OSError, ValueError):
                    self._marks[pid] = _high_water(pid)

    def stop(self) -> None:
        self._ended.set()
        self.join()


def _tree(pid: int) -> list[int]:
    found = [pid]
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for child in children:
            found += _tree(int(child))
    return found


def _high_water(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise ValueError("no VmHWM")
