#!/usr/bin/env bash
# Makes the Python environment in the cache folder, under a key of its requirements, and links it as .venv.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
say() { printf 'venv           %s\n' "$*" >&2; }

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "'$python' is not Python 3.11 or newer: apt-get install python3, or PYTHON=/path/to/python make …" >&2
  exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  say "installing python3-venv"
  apt-get install -y -qq python3-venv >/dev/null || { apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null; }
fi
key=$(cat requirements.txt requirements-dev.txt constraints.txt <("$python" -c 'import sys; print(sys.version, sys.prefix)') | sha256sum | cut -c1-16)
home=${SANDBOX_CACHE:-$HOME/.cache/manifest-engine}/venv-$key
if [ ! -e "$home/complete" ]; then
  say "installing Airflow, its providers and the test tools (1 to 3 minutes)"
  rm -rf "$home"
  "$python" -m venv "$home"
  "$home/bin/pip" install --quiet --disable-pip-version-check uv
  "$home/bin/uv" pip install --quiet --python "$home/bin/python" --constraint constraints.txt -r requirements-dev.txt
  touch "$home/complete"
fi
if [ ! -e "$home/compiled" ]; then
  say "compiling the packages once for all processes (half a minute)"
  "$home/bin/python" -m compileall -q -j 0 "$home/lib" >/dev/null || true # some packages contain templates that do not compile
  touch "$home/compiled"
fi
ln -sfn "$home" .venv
