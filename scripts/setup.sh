#!/usr/bin/env bash
# Makes the environment: `setup.sh venv` into .venv, `setup.sh conda` into the conda environment of environment.yml.
# Does nothing when requirements.lock and pyproject.toml are those it last installed; repairs what broke midway.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $1"; [ $# -lt 2 ] || say "  hint: $2"; exit 1; }
supported() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1; }

# Prints the first Python that runs, is supported, and can make environments.
find_python() {
  local candidate without_venv=""
  for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3}; do
    supported "$candidate" || continue
    if "$candidate" -c 'import venv, ensurepip' >/dev/null 2>&1; then
      echo "$candidate"
      return
    fi
    without_venv=${without_venv:-$candidate}
  done
  [ -z "$without_venv" ] || fail "$without_venv has no venv module (or no ensurepip)" \
    "install it: on Debian and Ubuntu the package is $(basename "$without_venv")-venv"
  fail "no Python 3.11, 3.12 or 3.13 was found" "install one, or name it: make setup PYTHON=/path/to/python3.11"
}

# Shows which package pip is at: one line that changes on a terminal, nothing elsewhere.
show_progress() {
  local line count=0
  while IFS= read -r line; do
    case $line in
      Collecting\ *) count=$((count + 1)); line="package $count: ${line#Collecting }"; line=${line%% (from*} ;;
      Installing\ collected*) line="unpacking" ;;
      *) continue ;;
    esac
    [ ! -t 2 ] || printf '\r\033[K  %s' "$line" >&2
  done
  [ ! -t 2 ] || printf '\r\033[K' >&2
}

has_nvidia_gpu() { command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L >/dev/null 2>&1; }

# Compiles what PYTHON has installed, on all cores; pip uses one. Templates that packages carry are no Python, and stay.
compile_packages() {
  "$1" -m compileall -q -j 0 "$("$1" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" >/dev/null 2>&1 || true
}

# install PYTHON LOG: the locked packages, then this project, with the given interpreter.
install() {
  local python=$1 log=$2 extra=""
  ! has_nvidia_gpu || extra="[gpu]"
  "$python" -m pip install --disable-pip-version-check --no-compile --progress-bar off -r requirements.lock 2>&1 |
    tee "$log" | show_progress &&
    compile_packages "$python" &&
    "$python" -m pip install --disable-pip-version-check --quiet --no-build-isolation \
      --config-settings editable_mode=compat --editable ".$extra" >>"$log" 2>&1 || {
    tail -n 15 "$log" >&2
    fail "the packages could not be installed; everything pip said is in $log" \
      "check the network and the free disk space, then give the same command again"
  }
}

setup_venv() {
  local stamp=.venv/.installed unfinished=.venv/.unfinished wanted python
  wanted="$(cat requirements.lock pyproject.toml | cksum) $PWD"
  if [ "$(cat $stamp 2>/dev/null)" = "$wanted" ] && [ ! -e $unfinished ] && [ -x .venv/bin/finetune ] &&
    supported .venv/bin/python; then
    return
  fi
  if [ -e $unfinished ] || ! supported .venv/bin/python || ! .venv/bin/python -m pip --version >/dev/null 2>&1 ||
    { [ -e $stamp ] && ! grep -qF " $PWD" $stamp; }; then
    python=$(find_python)
    say "Creating .venv with $("$python" --version) and the locked packages; this takes a few minutes once ..."
    rm -rf .venv
    mkdir .venv && touch $unfinished
    "$python" -m venv .venv >&2 || fail "$python could not create .venv" "see the message above"
  else
    say "Bringing .venv up to requirements.lock ..."
    touch $unfinished
  fi
  local started=$SECONDS
  install .venv/bin/python .venv/setup.log
  printf '%s\n' "$wanted" >$stamp
  rm $unfinished
  say ".venv is ready after $((SECONDS - started)) s; the command is .venv/bin/finetune"
}

# The build of torch for this machine: conda-forge has one with CUDA and one without; macOS builds use MPS.
torch_build() {
  if [ "$(uname -s)" = Darwin ]; then
    echo pytorch
  elif has_nvidia_gpu; then
    echo pytorch-gpu
  else
    echo pytorch-cpu
  fi
}

setup_conda() {
  local conda name torch build python
  for conda in mamba conda none; do command -v $conda >/dev/null 2>&1 && break; done
  [ $conda != none ] || fail "neither conda nor mamba was found" "install Miniforge, or use a plain venv: make setup"
  name=$(sed -n 's/^name: *//p' environment.yml)
  torch=$(sed -n 's/^torch==\([0-9.]*\).*/\1/p' requirements.lock)
  build=$(torch_build)
  say "Creating the conda environment '$name' with $build $torch ..."
  $conda env update --quiet --name "$name" --file environment.yml >&2
  $conda install --quiet --yes --name "$name" --channel conda-forge "$build=$torch" >&2
  python="$($conda run --name "$name" python -c 'import sys; print(sys.executable)')"
  install "$python" "$(dirname "$python")/../setup.log"
  say "Ready: conda activate $name; the command is finetune"
}

case ${1:-} in
  venv) setup_venv ;;
  conda) setup_conda ;;
  *) fail "usage: scripts/setup.sh venv|conda" ;;
esac
