"""Images that move: from the changes to one row per image and pair of tags."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from gitops_bot.model.report import Change
from gitops_bot.text.view import ImageRow


def image_rows(
    changes: Iterable[Change], labels: Mapping[str, str], *, targets: Collection[str] | None = None
) -> tuple[ImageRow, ...]:
    """Make one row per image, former and new tag, with all its targets, in order of image and tags.

    ``targets`` limits it to these target ids; None takes all.
    """
    rows: dict[tuple[str, str, str], set[str]] = {}
    for change in changes:
        ids = [id_ for id_ in change.targets if targets is None or id_ in targets]
        for _, before, after in change.images:
            if before != after and ids:
                rows.setdefault(_row(before, after), set()).update(ids)
    return tuple(
        ImageRow(image=image, before=before, after=after, targets=tuple(sorted(labels.get(id_, id_) for id_ in ids)))
        for (image, before, after), ids in sorted(rows.items())
    )


def split_image(reference: str) -> tuple[str, str]:
    """Split a reference into repository and tag or digest: ``("ghcr.io/acme/api", "v1@sha256:…")``.

    A colon before the last slash belongs to a port. The second part is ``""`` when there is neither tag nor digest.
    """
    head, at, digest = reference.partition("@")
    slash = head.rfind("/")
    colon = head.find(":", slash + 1)
    repository, tag = (head[:colon], head[colon + 1 :]) if colon > slash else (head, "")
    return repository, tag + (at + digest if tag else digest)


def _row(before: str | None, after: str | None) -> tuple[str, str, str]:
    """Give repository, former and new tag; whole references where the repository itself differs."""
    old, new = split_image(before or ""), split_image(after or "")
    if before is None:
        return new[0], "", new[1] or "(no tag)"
    if after is None:
        return old[0], old[1] or "(no tag)", ""
    if old[0] != new[0]:
        return new[0], before, after
    return new[0], old[1] or "(no tag)", new[1] or "(no tag)"
