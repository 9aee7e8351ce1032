"""`docs/benchmarks.md`: a section for each comparison, which replaces its own and leaves the others alone."""

from __future__ import annotations

import re
from pathlib import Path

# In this order.
SECTIONS = ("export", "backup", "catalog", "python")
HEAD = "# Benchmarks\n\nWritten by `make bench`: each section by a whole run of its comparison, and only by one.\n"
MARK = re.compile(r"^<!-- section: (\w+) -->\n", re.MULTILINE)


def write_section(page: Path, name: str, text: str) -> None:
    """Puts `text` in place of the section `name` of the page, which is made when it is not there."""
    sections = _sections(page.read_text()) if page.exists() else {}
    sections[name] = text
    order = [*SECTIONS, *sorted(set(sections) - set(SECTIONS))]
    parts = [f"<!-- section: {known} -->\n{sections[known].strip()}\n" for known in order if known in sections]
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n".join([HEAD, *parts]))


def _sections(text: str) -> dict[str, str]:
    pieces = MARK.split(text)[1:]
    return dict(zip(pieces[::2], pieces[1::2]))
