#!/usr/bin/env bash
# Writes requirements.lock: one exact version of everything, for every Python and system that pyproject.toml allows.
# The CUDA packages are left out: torch asks for those of its own build, and a build for the CPU asks for none.
set -euo pipefail
cd "$(dirname "$0")/.."

.venv/bin/python -m pip install --disable-pip-version-check --quiet 'uv>=0.9'
resolved=$(.venv/bin/uv --no-config --quiet pip compile pyproject.toml --extra dev --universal \
  --python-version 3.11 --no-header --no-annotate --no-emit-index-url --no-emit-find-links)
{
  echo "# Exact versions of all packages, of use and of development. Made by 'make lock' from pyproject.toml; do not edit."
  echo "# torch brings the CUDA packages of its own build, where that build has any."
  grep -Ev '^(nvidia-|cuda-|triton==)|emscripten' <<<"$resolved"
} >requirements.lock.new
mv requirements.lock.new requirements.lock
echo "requirements.lock: $(grep -c == requirements.lock) versions" >&2
