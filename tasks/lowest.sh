#!/usr/bin/env bash
# Test the library with the lowest releases that pyproject.toml allows: a floor that nobody tries is a guess.
#
# bash tasks/lowest.sh [PYTEST ARGUMENT…]     such as -m 'not property' tests/recipients
#
# It needs uv (https://docs.astral.sh/uv/) and makes an environment of its own. PYTHON=… chooses the interpreter.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

uv venv --quiet --python "${PYTHON:-python3}" "$work/env"
# Lowest for what the library names itself; what tests need is of no interest here.
uv pip install --quiet --python "$work/env/bin/python" --resolution lowest-direct "$root[all]"
uv pip install --quiet --python "$work/env/bin/python" 'django-anymail>=12' 'flask>=3' 'hypothesis>=6.100' 'pytest>=8.2' \
  'pytest-cov>=5' 'pytest-xdist>=3.6' 'pyyaml>=6'
uv pip list --python "$work/env/bin/python"

cd "$root"
"$work/env/bin/python" -m pytest -q --no-cov "$@"
