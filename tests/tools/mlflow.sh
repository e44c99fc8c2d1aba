#!/usr/bin/env bash
# Brings a real MLflow server into the user's cache, once for each requirements/mlflow.txt (620 MB, some minutes), and
# prints the path of its program. With --if-there it brings nothing, and prints nothing when there is nothing.
# Needs a Python 3.11 or newer with venv. The tests find the program by themselves.
set -euo pipefail
cd "$(dirname "$0")/../.."

key=$(sha256sum requirements/mlflow.txt | cut -c1-16)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/gitops-bot/test-mlflow
target=$cache/$key
if [ -f "$target/complete" ]; then
  echo "$target/bin/mlflow"
  exit 0
fi
if [ "${1:-}" = --if-there ]; then exit 0; fi

python=python3
if [ -x .venv/bin/python ]; then python=.venv/bin/python; fi
rm -rf "$cache"
mkdir -p "$cache"
"$python" -m venv "$target"
echo "bringing MLflow" >&2
"$target/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/mlflow.txt >&2
touch "$target/complete"
echo "$target/bin/mlflow"
