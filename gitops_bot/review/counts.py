"""Counting: every differing resource in exactly one bucket, and the words people know for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from gitops_bot.model.change import Bucket
from gitops_bot.model.report import Change, Counts, TargetReport

Buckets = Counter[Bucket]
"""How many resources (changes times targets) lie in each bucket."""


def buckets_of(changes: Iterable[Change], targets: Collection[str] | None = None) -> Buckets:
    """Count resources per bucket: a change in three targets is three.

    ``targets`` limits the count to these target ids; None counts all.
    """
    found: Buckets = Counter()
    for change in changes:
        found[change.bucket] += sum(1 for target in change.targets if targets is None or target in targets)
    return found


def count(changes: Iterable[Change], targets: Iterable[TargetReport], *, rendered: Collection[str]) -> Counts:
    """Add up one run; ``rendered`` holds the ids of the targets that were rendered."""
    found, all_targets = buckets_of(changes), list(targets)
    states = Counter("rendered" if target.id in rendered else target.status for target in all_targets)
    return Counts(
        added=found["added"],
        changed=found["changed"],
        removed=found["removed"],
        noise=found["noise"],
        ignored=found["ignored"],
        unchanged=sum(target.unchanged for target in all_targets),
        targets=len(all_targets),
        rendered=states["rendered"],
        unaffected=states["unchanged"],
        failed=states["failed"],
        skipped=states["skipped"],
    )


def phrase(found: Buckets) -> str:
    """Say it in Terraform's words: ``2 to add, 14 to change, 1 to remove``; zeros are said too."""
    return f"{found['added']} to add, {found['changed']} to change, {found['removed']} to remove"


def asides(found: Buckets) -> tuple[str, ...]:
    """Say what is folded or hidden and therefore not in the phrase; empty when there is none."""
    noise, ignored = found["noise"], found["ignored"]
    said = []
    if noise:
        said.append(f"{noise} {'differs' if noise == 1 else 'differ'} only in chart labels and checksums")
    if ignored:
        said.append(f"{ignored} hidden by ignoreDifferences")
    return tuple(said)


def visible(found: Buckets) -> int:
    """How many resources are really added, changed or removed."""
    return found["added"] + found["changed"] + found["removed"]
