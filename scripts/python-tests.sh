#!/bin/sh
# Builds the wheel of the Python package, installs it into an environment with nothing else, and runs the tests
# that are written in Python, the package's among them.
# Usage: scripts/python-tests.sh DIRECTORY REQUIREMENTS [PYTEST-ARGUMENT…]      DIRECTORY: for wheel and environment
set -eu
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
place=${1:?usage: scripts/python-tests.sh DIRECTORY REQUIREMENTS}
requirements=${2:?usage: scripts/python-tests.sh DIRECTORY REQUIREMENTS}
shift 2

wheel=$("$root/scripts/wheel.sh" "$place/wheel" dev)
OPSKIT_TEST_FRESH_PYTHON=$("$root/scripts/venv.sh" --fresh "$place/fresh" "$wheel")/bin/python
venv=$("$root/scripts/venv.sh" "$requirements")
# The readers stand in one environment and the package in the other: it is tested as it was installed.
PYTHONPATH=$(cd / && "$OPSKIT_TEST_FRESH_PYTHON" -c 'import opskit, pathlib; print(pathlib.Path(opskit.__file__).parent.parent)')
export OPSKIT_TEST_FRESH_PYTHON PYTHONPATH
cd "$root"
"$venv/bin/python" -m pytest -q "$@" tests/python
