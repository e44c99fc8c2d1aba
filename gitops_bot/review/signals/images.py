"""Images that nobody can name tomorrow, and images that come from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gitops_bot.model.signal import Signal
from gitops_bot.review.signals.edit import Edit
from gitops_bot.review.signals.podspecs import LISTS
from gitops_bot.review.signals.references import Reference, reference
from gitops_bot.review.signals.values import at, items, text
from gitops_bot.review.signals.words import short


def floating_images(edit: Edit) -> Iterator[Signal]:
    """Raise each container, and each image volume, that now gets an image without a tag and digest, or ``latest``.

    Silent where that container (for a new one: any of the pod) had an image of the same repository without a fixed tag.
    """
    for pod in edit.pods:
        known = _floating(pod.before)
        for container in pod.containers:
            found = reference(container.after.get("image"))
            if found is None or not found.floats:
                continue
            old = reference(container.before.get("image")) if container.before is not None else None
            was = (old.floats and old.repository == found.repository) if old else found.repository in known
            if not was:
                yield _signal(edit, f"container {container.name}", found, container.after["image"], container.path)
        for volume in items(pod.after.get("volumes")):
            image = at(volume, "image", "reference")
            found = reference(image)
            if found is not None and found.floats and found.repository not in known:
                name = short(text(at(volume, "name")))
                yield _signal(edit, f"volume {name}", found, image, f"{pod.path}.volumes[name={name}].image.reference")


def moved_images(edit: Edit) -> Iterator[Signal]:
    """Raise each container that keeps its name and gets its image from another registry or repository.

    Docker Hub's long and short names are the same; one container that replaces another under a new name moves nothing.
    """
    for pod in edit.pods:
        for container in pod.containers:
            if container.before is None or container.before.get("name") != container.after.get("name"):
                continue
            old, new = (reference(side.get("image")) for side in (container.before, container.after))
            if old is not None and new is not None and old.repository != new.repository:
                message = f"container {container.name}: {short(old.repository)} → {short(new.repository)}"
                yield edit.signal("image-moved", message, path=f"{container.path}.image")


def _floating(pod: dict[str, Any]) -> set[str]:
    """The repositories of a pod's images without a fixed tag."""
    given = [at(item, "image") for field in LISTS for item in items(pod.get(field))]
    given += [at(volume, "image", "reference") for volume in items(pod.get("volumes"))]
    return {found.repository for found in map(reference, given) if found is not None and found.floats}


def _signal(edit: Edit, where: str, found: Reference, image: Any, path: str) -> Signal:
    why = f"has the tag {short(found.tag)}" if found.tag else "has no tag"
    path = path if path.endswith(".reference") else f"{path}.image"
    return edit.signal("image-latest", f"{where}: {short(image)} {why}", path=path)
