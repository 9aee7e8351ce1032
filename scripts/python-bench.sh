#!/bin/sh
# Builds the wheel of the Python package for speed, and runs a program with it beside the packages of REQUIREMENTS.
# Usage: scripts/python-bench.sh DIRECTORY REQUIREMENTS PROGRAM [ARGUMENT…]      DIRECTORY: for wheel and environment
set -eu
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
place=${1:?usage: scripts/python-bench.sh DIRECTORY REQUIREMENTS PROGRAM}
requirements=${2:?usage: scripts/python-bench.sh DIRECTORY REQUIREMENTS PROGRAM}
program=${3:?usage: scripts/python-bench.sh DIRECTORY REQUIREMENTS PROGRAM}
shift 3

wheel=$("$root/scripts/wheel.sh" "$place/wheel" release)
fresh=$("$root/scripts/venv.sh" --fresh "$place/fresh" "$wheel")/bin/python
PYTHONPATH=$(cd / && "$fresh" -c 'import opskit, pathlib; print(pathlib.Path(opskit.__file__).parent.parent)')
export PYTHONPATH
cd "$root"
exec "$("$root/scripts/venv.sh" "$requirements")/bin/python" "$program" "$@"
