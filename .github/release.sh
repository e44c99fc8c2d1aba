#!/usr/bin/env bash
# The last job of release.yml: VERSION and DIGEST become a commit, its tags and a draft of the release.
# All of it through GitHub's API: no credential lies in the checkout, and GitHub signs the commit.
set -euo pipefail
: "${VERSION:?}" "${DIGEST:?}" "${IMAGE:?}" "${GITHUB_REPOSITORY:?}" "${RUNNER_TEMP:?}"
major=${VERSION%%.*}

python3 .github/release.py pin "$IMAGE@$DIGEST"
python3 .github/release.py notes "$VERSION" > "$RUNNER_TEMP/notes.md"

api() { gh api "repos/$GITHUB_REPOSITORY/$1" "${@:2}"; }
tree=$(jq -n --rawfile content action.yml --arg base "$(git rev-parse 'HEAD^{tree}')" \
  '{base_tree: $base, tree: [{path: "action.yml", mode: "100644", type: "blob", content: $content}]}' |
  api git/trees --input - --jq .sha)
commit=$(jq -n --arg message "release: v$VERSION" --arg tree "$tree" --arg parent "$(git rev-parse HEAD)" \
  '{message: $message, tree: $tree, parents: [$parent]}' | api git/commits --input - --jq .sha)

# Made, never moved: this fails when the tag is there.
api git/refs -f ref="refs/tags/v$VERSION" -f sha="$commit" --silent
if api "git/ref/tags/v$major" --silent 2>/dev/null; then
  api "git/refs/tags/v$major" --method PATCH -f sha="$commit" -F force=true --silent
else
  api git/refs -f ref="refs/tags/v$major" -f sha="$commit" --silent
fi
docker buildx imagetools create --tag "$IMAGE:$major" "$IMAGE@$DIGEST"
gh release create "v$VERSION" --draft --verify-tag --title "v$VERSION" --notes-file "$RUNNER_TEMP/notes.md"
echo "v$VERSION and v$major are $commit, with $IMAGE@$DIGEST; publish the draft to make the release immutable"
