"""Two versions of one object, or one that only one side has, as a ResourceChange."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gitops_bot.manifests.fields import differences, images
from gitops_bot.manifests.ignore import DeleteJq, hide
from gitops_bot.manifests.lists import ABSENT
from gitops_bot.manifests.normalise import is_built_in, normalise
from gitops_bot.manifests.redact import hide_checksums, mask_pair
from gitops_bot.manifests.unified import TextDiff, diff
from gitops_bot.model.application import IgnoreDifference
from gitops_bot.model.change import Bucket, ResourceChange
from gitops_bot.model.resource import ResourceKey


def compare_pair(
    before: dict[str, Any],
    after: dict[str, Any],
    *,
    key: ResourceKey,
    renamed_from: ResourceKey | None = None,
    hook: str | None = None,
    rules: Sequence[IgnoreDifference] = (),
    delete_jq: DeleteJq | None = None,
    text_diff: TextDiff | None = None,
) -> ResourceChange | None:
    """What differs between two versions of one object; None when nothing does after normalisation.

    ``rules`` are the ignoreDifferences that apply to this object.
    """
    built_in = is_built_in(after["apiVersion"])
    bodies: Sequence[dict[str, Any]] = mask_pair(normalise(before), normalise(after), built_in=built_in)
    old, new = (hide_checksums(body) for body in bodies)
    found = differences(old, new, built_in=built_in)
    hidden = 0
    if rules and found:
        old, new = (hide_checksums(body) for body in hide(bodies, rules, delete_jq))
        left = differences(old, new, built_in=built_in)
        hidden, found = max(0, len(found) - len(left)), left
    fields = tuple(each.change for each in found if not each.noise)
    noise = tuple(each.change for each in found if each.noise)
    if not fields and not hidden and not noise and renamed_from is None:
        return None
    bucket: Bucket = "changed" if fields or renamed_from else "ignored" if hidden else "noise"
    return ResourceChange(
        action="changed",
        bucket=bucket,
        key=key,
        renamed_from=renamed_from,
        api_version=after["apiVersion"],
        hook=hook,
        fields=fields,
        noise=noise,
        hidden=hidden,
        diff=diff(old, new, built_in=built_in, text_diff=text_diff) if bucket == "changed" else "",
        images=images(old, new),
    )


def only(body: dict[str, Any], *, key: ResourceKey, hook: str | None, added: bool) -> ResourceChange:
    """An object that only one side has: the head (``added``) or the base."""
    normal = normalise(body)
    shown = hide_checksums(mask_pair(normal, normal)[0])
    before, after = (ABSENT, shown) if added else (shown, ABSENT)
    return ResourceChange(
        action="added" if added else "removed",
        bucket="added" if added else "removed",
        key=key,
        api_version=body["apiVersion"],
        hook=hook,
        diff=diff(before, after, built_in=True),
        images=images(before, after),
    )
