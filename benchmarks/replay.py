"""Replay real commits: does the changed-only diff say exactly what a full render of both sides says?

    python benchmarks/replay.py REPOSITORY [--commits N] [--first-parent] [--from REV] [--jobs N]

For each commit both sides are rendered in full with the bare tools from a real checkout (``bare.py``), and compared
object by object. gitops-bot's diff must show every object that differs there (else it is *missed*) and no object that
does not (else it is *invented*). Ends with 1 when anything was missed or invented, or when the counts do not add up.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import bare
import ours
from bare import Key, Result

from gitops_bot.model.change import Action
from gitops_bot.model.report import Change, TargetReport
from gitops_bot.model.target import Target

_RENDERED = (".", ":(exclude)*.md", ":(exclude).github", ":(exclude)*.png", ":(exclude)*.svg", ":(exclude)*.py")
_KEPT = 3
"""Full renders held at once."""

Columns = ("commits", "targets", "affected", "rendered", "compared", "objects", "missed", "invented", "same to the API",
           "random", "refused", "bare fails", "unjudged", "miscounted")  # fmt: skip


class Full(NamedTuple):
    """A full render of one commit."""

    results: dict[str, Result]
    root: Path
    """The checkout."""


class Replay:
    """The state of one run."""

    def __init__(self, repository: str, urls: tuple[str, ...], jobs: int, scratch: Path) -> None:
        self.scratch = scratch
        self.repository = repository
        self.urls = urls
        self.jobs = jobs
        self.counts: Counter[str] = Counter()
        self.ours_seconds = 0.0
        self.bare_seconds = 0.0
        self.reasons: Counter[str] = Counter()
        self._full: dict[str, Full] = {}

    def pair(self, base: str, head: str) -> None:
        """Judge one commit."""
        started = time.perf_counter()
        found = ours.diff(self.repository, base, head, self.urls)
        self.ours_seconds += time.perf_counter() - started
        before, after = self._bare(base, found.base), self._bare(head, found.head)
        self.counts["commits"] += 1
        self.counts["rendered"] += found.runs
        changes: dict[str, list[Change]] = {}
        for change in found.report.changes:
            for identity in change.targets:
                changes.setdefault(identity, []).append(change)
        for target in found.report.targets:
            self.counts["targets"] += 1
            judge = _Judge(self, head, target, found.base, found.head)
            judge.judge(before, after, changes.get(target.id, []))
        for identity, reason in found.refused.items():
            if after[identity].judged and not after[identity].error:
                self.counts["refused"] += 1
                self.reasons[f"refused {identity}: {reason}"[:160]] += 1

    def _bare(self, commit: str, targets: Mapping[str, Target]) -> dict[str, Result]:
        full = self._full.get(commit)
        if full is None:
            while len(self._full) >= _KEPT:
                oldest = next(iter(self._full))
                shutil.rmtree(self._full.pop(oldest).root)
            root = self.scratch / commit
            bare.checkout(self.repository, commit, root)
            full = self._full[commit] = Full({}, root)
        lacking = [target for key, target in targets.items() if key not in full.results]
        full.results.update(self.render(full.root, lacking))
        return full.results

    def render(self, root: Path, targets: Iterable[Target]) -> dict[str, Result]:
        """Render targets of a checkout with the bare tools, and count the time."""
        started = time.perf_counter()
        results = bare.render_all(root, targets, frozenset(map(bare.plain_url, self.urls)), self.jobs)
        self.bare_seconds += time.perf_counter() - started
        return results

    def is_random(self, commit: str, target: Target, key: Key) -> bool:
        """Whether one object differs between two bare renders of the very same checkout."""
        full = self._full[commit]
        again = self.render(full.root, [target])[target.id]
        first, second = (bare.objects(result.output)[0] for result in (full.results[target.id], again))
        return not bare.same(first.get(key), second.get(key))


class _Judge:
    """One target of one commit."""

    def __init__(
        self, replay: Replay, commit: str, report: TargetReport, base: Mapping[str, Target], head: Mapping[str, Target]
    ) -> None:
        self.replay, self.commit, self.report = replay, commit, report
        self.counts = replay.counts
        self.old_id = report.moved_from or report.id
        self.is_base, self.is_head = self.old_id in base, report.id in head
        self.target = head.get(report.id) or base[self.old_id]

    def say(self, what: str, text: str) -> None:
        """Count a verdict, and print it."""
        self.counts[what] += 1
        print(f"{what}: {self.commit[:12]} {self.report.id}: {text}", flush=True)

    def judge(self, before: dict[str, Result], after: dict[str, Result], changes: list[Change]) -> None:
        """Compare what gitops-bot says of the target with what the bare tools say."""
        old = before[self.old_id] if self.is_base else Result()
        new = after[self.report.id] if self.is_head else Result()
        if not (old.judged and new.judged):
            self.counts["unjudged"] += 1
            self.replay.reasons[f"unjudged {self.report.id}: {new.error or old.error}"] += 1
            return
        if old.error or new.error:
            self.counts["bare fails"] += 1
            if self.report.status not in ("failed", "skipped", "unchanged"):
                self.replay.reasons[f"only bare fails {self.report.id}: {old.error or new.error}"[:260]] += 1
            return
        if self.report.status in ("failed", "skipped"):
            if old.output != new.output:
                self.say("missed", f"it is {self.report.status}, and its manifests differ")
            return
        self.counts["affected"] += old.output != new.output
        self.counts["compared"] += 1
        if old.output == new.output:
            for change in changes:
                self.say("invented", f"{change.action} {change.kind} {change.name}: the two renders are the same bytes")
            return
        self._compare(bare.objects(old.output)[0], bare.objects(new.output)[0], changes)

    def _compare(self, old: dict[Key, Any], new: dict[Key, Any], changes: list[Change]) -> None:
        differing = {key: _action(old, new, key) for key in {*old, *new}}
        left = {key: action for key, action in differing.items() if action is not None}
        self.counts["objects"] += len(left)
        renamed = 0
        for change in changes:
            if change.renamed_from is not None:
                renamed += 1
                self._rename(change, left)
                continue
            key = self._key(change, left)
            if key is None or left[key] != change.action:
                self.say(
                    "invented", f"{change.action} ({change.bucket}) {change.kind} {change.namespace}/{change.name}"
                )
            if key is not None:
                del left[key]
        for key in sorted(left):
            if left[key] == "changed" and bare.same(bare.server_view(old[key]), bare.server_view(new[key])):
                self.counts["same to the API"] += 1
            elif self.is_head and self.replay.is_random(self.commit, self.target, key):
                self.counts["random"] += 1
            else:
                self.say("missed", f"{left[key]} {key}")
        total = len({*old, *new}) - renamed
        rendered = self.report.unchanged or changes
        if rendered and self.report.unchanged + len(changes) != total:
            said = f"{self.report.unchanged} unchanged and {len(changes)} differing of {total} objects"
            if len({self._loose(key) for key in {*old, *new}}) - renamed != self.report.unchanged + len(changes):
                self.say("miscounted", said)

    def _rename(self, change: Change, left: dict[Key, Action]) -> None:
        new = self._key(change, {key: action for key, action in left.items() if action == "added"})
        gone: dict[Key, Action] = {key: action for key, action in left.items() if action == "removed"}
        old = self._find(gone, change.group, change.kind, change.namespace, str(change.renamed_from))
        if new is None or old is None:
            self.say("invented", f"renamed {change.kind} {change.renamed_from} to {change.name}")
        for key in (new, old):
            left.pop(key, None) if key is not None else None

    def _key(self, change: Change, among: Mapping[Key, Action]) -> Key | None:
        return self._find(among, change.group, change.kind, change.namespace, change.name)

    def _find(self, among: Mapping[Key, Action], group: str, kind: str, namespace: str, name: str) -> Key | None:
        exact = Key(group, kind, namespace, name)
        if exact in among:
            return exact
        alike = [key for key in among if (key.group, key.kind, key.name) == (group, kind, name)]
        unplaced = [key for key in alike if namespace in ("", self.report.namespace) or not key.namespace]
        return unplaced[0] if len(unplaced) == 1 else None

    def _loose(self, key: Key) -> Key:
        return key._replace(namespace="") if key.namespace == self.report.namespace else key


def _action(old: dict[Key, Any], new: dict[Key, Any], key: Key) -> Action | None:
    if key not in old:
        return "added"
    if key not in new:
        return "removed"
    return None if bare.same(old[key], new[key]) else "changed"


def commits(repository: str, start: str, count: int, *, first_parent: bool) -> list[tuple[str, str]]:
    """(base, head) of the newest ``count`` commits that touch more than documents and CI, oldest first.

    Along the first parents each one is compared with the one before it in the list, otherwise with its own parent.
    """
    argv = ["git", "-C", repository, "log", f"--max-count={count + 1}", "--format=%H %P"]
    argv += ["--first-parent", "-m"] if first_parent else ["--no-merges", "--topo-order"]
    listed = subprocess.run([*argv, start, "--", *_RENDERED], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in reversed(listed.splitlines())]
    if first_parent:
        chain = [row[0] for row in rows]
        return list(itertools.pairwise(chain))
    return [(row[1], row[0]) for row in rows if len(row) == 2][-count:]


def main() -> int:
    """Run; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("repository", metavar="REPOSITORY", help="any Git directory")
    parser.add_argument("--commits", type=int, default=50, help="how many (default: 50)")
    parser.add_argument("--first-parent", action="store_true", help="follow the first parents, one render for each")
    parser.add_argument("--from", dest="start", default="HEAD", metavar="REV", help="the newest one (default: HEAD)")
    parser.add_argument("--jobs", type=int, default=2, help="bare renders at once (default: 2)")
    parser.add_argument("--repo-url", action="append", default=[], help="a URL that means this repository")
    parser.add_argument("--limit", type=float, default=0, metavar="SECONDS", help="start no commit after this time")
    given = parser.parse_args()
    chosen = commits(given.repository, given.start, given.commits, first_parent=given.first_parent)
    with tempfile.TemporaryDirectory(prefix="replay-") as scratch:
        replay = Replay(given.repository, tuple(given.repo_url), given.jobs, Path(scratch))
        started = time.perf_counter()
        for base, head in chosen:
            if given.limit and time.perf_counter() - started > given.limit:
                break
            replay.pair(base, head)
            print(f"{replay.counts['commits']} commits", end="\r", file=sys.stderr, flush=True)
    print()
    for reason, times in sorted(replay.reasons.items()):
        print(f"{times} x {reason}")
    print("| " + " | ".join(Columns) + " | ours, s | bare, s |")
    print("|" + " ---: |" * (len(Columns) + 2))
    figures = [str(replay.counts[name]) for name in Columns]
    print("| " + " | ".join([*figures, f"{replay.ours_seconds:.1f}", f"{replay.bare_seconds:.1f}"]) + " |")
    return 1 if any(replay.counts[name] for name in ("missed", "invented", "miscounted")) else 0


if __name__ == "__main__":
    sys.exit(main())
