#!/usr/bin/env bash
# Brings what judges the fake GitHub of the tests (tests/github/judges) into the user's cache, once for each judges.txt,
# and prints the folder: GitHub's OpenAPI and GraphQL schema and examples of its events (npm), and the traffic that
# PyGithub recorded (its source package). Every archive must have the SHA-256 of judges.txt.
# With --if-there it brings nothing, and prints nothing when there is nothing. Needs npm, and a Python with pip.
# `make test-tools` calls it without arguments; the tests find the folder by themselves.
set -euo pipefail
cd "$(dirname "$0")"

key=$(sha256sum judges.txt | cut -c1-16)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/gitops-bot/test-judges
target=$cache/$key
if [ -f "$target/complete" ]; then
  echo "$target"
  exit 0
fi
if [ "${1:-}" = --if-there ]; then exit 0; fi

find_python() {
  local each
  for each in ../../.venv/bin/python python3 python; do
    if "$each" -c 'import pip' 2>/dev/null; then echo "$each"; return; fi
  done
  echo "no Python with pip was found; run make setup first" >&2
  return 1
}

command -v npm >/dev/null || { echo "npm is not on PATH; apt-get install npm" >&2; exit 1; }
python=$(find_python)
mkdir -p "$cache"
work=$(mktemp -d "$cache/.new-XXXXXX")
trap 'rm -rf "$work"' EXIT
while read -r registry name version file hash; do
  case $registry in
    npm)
      echo "bringing $name $version from npm" >&2
      npm pack --silent --ignore-scripts --pack-destination "$work" "$name@$version" >&2 ;;
    pypi)
      echo "bringing the source of $name $version" >&2
      "$python" -m pip download --quiet --disable-pip-version-check --no-deps --no-binary "$name" --dest "$work" \
        "$name==$version" >&2 ;;
    *) continue ;;
  esac
  echo "$hash  $work/$file" | sha256sum --check --quiet >&2
done <judges.txt
tar -xzf "$work/octokit-openapi-23.0.2.tgz" -C "$work" --strip-components=2 package/generated/api.github.com.json
tar -xzf "$work/octokit-graphql-schema-15.26.1.tgz" -C "$work" --strip-components=1 package/schema.graphql
mkdir "$work/recorded" "$work/webhooks-examples"
tar -xzf "$work/octokit-webhooks-examples-7.6.1.tgz" -C "$work/webhooks-examples" --strip-components=2 \
  package/api.github.com/index.json
tar -xzf "$work/pygithub-2.10.0.tar.gz" -C "$work/recorded" --strip-components=3 pygithub-2.10.0/tests/ReplayData
rm -f "$work"/*.tgz "$work"/*.tar.gz
touch "$work/complete"
chmod 755 "$work"
rm -rf "$target"
mv "$work" "$target"
echo "$target"
