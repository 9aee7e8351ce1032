"""A backup for cron: takes it, looks at every row of it, and says how it went by the exit code.

DATABASE_URL=postgresql://backup@db.example/shop python nightly_backup.py s3://bucket/backups
"""

import logging
import sys

import opskit

log = logging.getLogger("nightly")


def main(place: str) -> int:
    """Gives the exit code: 0 for a backup that was verified, 75 for what may work later, 1 for the rest."""
    try:
        repository = opskit.Repository(place, create=True)
        report = opskit.connect().backup.run(repository, tags={"schedule": "nightly"})
        repository.verify(report.id, level="decode").check()
    except opskit.OpskitError as error:
        log.error("%s: %s (%s)", error.kind, error, error.hint)
        return 75 if error.retryable else 1
    log.info("%s: %d rows, %d bytes in %.1f s", report.id, report.rows, report.stored_bytes, report.elapsed_ms / 1000)
    for warning in report.warnings:
        log.warning("%s", warning)
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    sys.exit(main(sys.argv[1]))
