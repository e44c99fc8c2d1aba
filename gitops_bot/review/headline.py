"""The sentences at the top of a review: what happens, what was compared, how much of it was looked at."""

from __future__ import annotations

from gitops_bot.model.change import Action
from gitops_bot.model.report import Compared, Counts
from gitops_bot.review.counts import Buckets, phrase, visible

_CONSEQUENCES = {
    ("", "Namespace"): "everything in the namespace goes with it",
    ("", "PersistentVolumeClaim"): "the data on its volume may be deleted",
    ("", "PersistentVolume"): "the data on it may be deleted",
    ("apiextensions.k8s.io", "CustomResourceDefinition"): "every object of this kind goes with it",
    ("apps", "StatefulSet"): "its pods stop",
    ("argoproj.io", "Application"): "what it deploys goes with it where it has a resources finalizer",
    ("argoproj.io", "ApplicationSet"): "its Applications go with it, and what they deploy where they have a finalizer",
}
"""What a removal takes along, by (group, kind). Kubernetes' garbage collection and Argo CD's cascading deletion."""

_SHORT = 8
"""Digits of a commit id that are shown."""


def consequence(action: Action, group: str, kind: str) -> str:
    """Say what removing an object of this kind takes along; ``""`` when nothing but itself, or nothing is removed."""
    return _CONSEQUENCES.get((group, kind), "") if action == "removed" else ""


def headline(counts: Counts, found: Buckets, *, failures: int = 0, restarts: int = 0) -> str:
    """Say in one line what the merge does; ``found`` holds what happens at once, ``failures`` counts what is missing.

    ``restarts`` counts the apps whose pods restart although nothing but folded fields of them differs.

    Never sounds green when something failed or nothing was looked at.
    """
    if visible(found):
        return phrase(found)
    if failures:
        return f"No changes in what could be rendered, but {failures} could not."
    if counts.targets == 0:
        return "No targets: nothing was found or selected, so nothing was compared."
    if restarts:
        return f"Nothing but checksums changes, and with them pods restart in {plural(restarts, 'app')}."
    if found["noise"] or found["ignored"]:
        return "No changes beyond what is folded or ignored."
    if counts.added + counts.changed + counts.removed:
        return "No changes by the merge itself; some arrive later."
    if counts.rendered:
        return f"No changes: {counts.rendered} of {plural(counts.targets, 'target')} rendered, all resources equal."
    if counts.skipped:
        return f"No changes: {plural(counts.targets, 'target')}, none affected, {counts.skipped} skipped."
    return f"No changes: {plural(counts.targets, 'target')}, none affected."


def coverage(counts: Counts) -> str:
    """Say how much was looked at: ``rendered 4 of 243 targets; 238 unaffected; 1 failed; 0 skipped``."""
    return (
        f"rendered {counts.rendered} of {plural(counts.targets, 'target')}; {counts.unaffected} unaffected; "
        f"{counts.failed} failed; {counts.skipped} skipped"
    )


def compared_sentence(compared: Compared) -> str:
    """Say which two trees were compared, and whether that is what merging would give."""
    base, head = _short(compared.base), _short(compared.head)
    named_base = f"{compared.base_branch} ({base})" if compared.base_branch else base
    if compared.how == "merge":
        return f"{named_base} against the result of merging {head}"
    if compared.how == "conflict":
        into = f" into {compared.base_branch}" if compared.base_branch else ""
        return f"{head} against its merge base {base}, because it does not merge{into}"
    return f"{named_base} against {head}"


def plural(number: int, noun: str) -> str:
    """``1 target``, ``4 targets``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _short(commit: str) -> str:
    """Shorten a commit id; the empty id is the working tree."""
    return commit[:_SHORT] if commit else "the working tree"
