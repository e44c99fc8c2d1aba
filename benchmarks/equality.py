"""Does ``gitops-bot render`` give what helm and kustomize give, object for object?

    python benchmarks/equality.py REPOSITORY... [--revision REV] [--every-root] [--repo-url URL] [--jobs N]

Every target of a commit is rendered by gitops-bot, from exactly the files it gathered, and by the bare tools in a full
checkout (``bare.py``). *Random* are targets that the bare tools render differently each time. Ends with 1 when
objects differ, or when one side fails where the other does not. With ``--every-root`` also the charts and
kustomizations are rendered that are no targets of their own, because another one includes them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

import bare
import ours
from bare import Result

COLUMNS = ("targets", "equal", "same bytes", "objects", "different", "random", "only ours fails",
           "only bare fails", "both fail", "unjudged")  # fmt: skip


def judge(repository: str, revision: str, urls: tuple[str, ...], jobs: int, *, every_root: bool) -> Counter[str]:
    """Render every target of a commit both ways, print what differs, and count."""
    made = ours.renders(repository, revision, urls, every_root=every_root)
    own = frozenset(map(bare.plain_url, urls))
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="equality-") as scratch:
        root = Path(scratch, "checkout")
        bare.checkout(repository, revision, root)
        theirs = bare.render_all(root, [target for target, _, _ in made.values()], own, jobs)
        for key, (target, manifests, error) in made.items():
            verdict = _verdict(manifests, error, theirs[key], counts)
            if verdict == "different" and bare.render_all(root, [target], own, jobs)[key].output != theirs[key].output:
                verdict = "random"
            counts["targets"] += 1
            counts[verdict] += 1
            if verdict in ("different", "only ours fails", "only bare fails"):
                print(f"{verdict}: {key}: {error or theirs[key].error}"[:300], flush=True)
    return counts


def _verdict(manifests: bytes, error: str, theirs: Result, counts: Counter[str]) -> str:
    if not theirs.judged:
        return "unjudged"
    if error or theirs.error:
        return "both fail" if error and theirs.error else "only ours fails" if error else "only bare fails"
    first, second = bare.objects(manifests)[0], bare.objects(theirs.output)[0]
    counts["objects"] += len(second)
    counts["same bytes"] += manifests.strip() == theirs.output.strip()
    return "equal" if bare.same_objects(first, second) else "different"


def main() -> int:
    """Run; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("repositories", metavar="REPOSITORY", nargs="+", help="any Git directory")
    parser.add_argument("--revision", default="HEAD", metavar="REV")
    parser.add_argument("--repo-url", action="append", default=[], help="a URL that means these repositories")
    parser.add_argument("--every-root", action="store_true", help="also what other charts and overlays include")
    parser.add_argument("--jobs", type=int, default=2, help="bare renders at once (default: 2)")
    given = parser.parse_args()
    print("| repository | " + " | ".join(COLUMNS) + " |\n|---|" + " ---: |" * len(COLUMNS))
    failed = False
    for repository in given.repositories:
        counts = judge(repository, given.revision, tuple(given.repo_url), given.jobs, every_root=given.every_root)
        failed |= any(counts[name] for name in ("different", "only ours fails", "only bare fails"))
        name = Path(repository).resolve().name
        print(f"| {name} | " + " | ".join(str(counts[column]) for column in COLUMNS) + " |", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
