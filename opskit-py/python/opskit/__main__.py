"""The `opskit` command."""

from __future__ import annotations

import sys

from opskit import _opskit


def main() -> int:
    """Runs the command with the arguments of this process, and returns its exit code."""
    return _opskit.main(["opskit", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
