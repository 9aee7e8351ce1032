"""Proves the last backup by restoring it on a throw-away server, and writes a page about it.

python drill_report.py s3://bucket/backups drill.html
"""

import pathlib
import sys

import opskit

CHECKS = ["select 'there are orders', count(*) > 0, count(*)::text from public.orders"]
"""Each row is a name, whether it is so, and a detail."""


def main(place: str, page: str) -> int:
    """Gives the exit code: 0 for a drill that passed."""
    report = opskit.Repository(place).drill("latest", checks=CHECKS)
    title = f"Drill of {report.backup}: {report.outcome}"
    summary = f"<p>Back in service after {report.recovery_ms / 1000:.1f} s, had it been needed.</p>"
    parts = [f"<h1>{title}</h1>", summary, report._repr_html_()]
    pathlib.Path(page).write_text("<!doctype html><meta charset=utf-8>" + "".join(parts))
    print(title)
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
