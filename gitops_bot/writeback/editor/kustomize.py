"""The ``images`` of a kustomization, or of a Flux ``Kustomization``: which keys a new tag or digest is written to.

As ``kustomize edit set image`` does it (tried with v5.8.1): the entry afterwards has the tag and the digest that were
given and no others, for a digest that stayed would still decide what runs. A ``newName`` stays unless one is given.
"""

from __future__ import annotations

from collections.abc import Sequence

from gitops_bot.writeback.editor.address import Address, Key, Match
from gitops_bot.writeback.editor.edit import Edit
from gitops_bot.writeback.editor.read import read

IMAGES = Address(((Key("images"),),))
"""Where a kustomization has them; a Flux ``Kustomization`` has them at ``spec.images``."""


def image_edits(
    data: bytes,
    name: str,
    *,
    tag: str | None = None,
    digest: str | None = None,
    new_name: str | None = None,
    images: Address = IMAGES,
) -> Sequence[Edit]:
    """The edits that give an image another tag, digest or name; at least one of them is given.

    ``name`` is the image as the manifests write it. Keys of an entry that is there are added as needed; an entry that
    is not there is only added by an edit that may create. Raises EditRefused for a file that cannot be read, and for
    two entries of one name.
    """
    entry = images.down(Match("name", name))
    is_there = read(data, entry / "name") is not None
    has = {key for key in ("newTag", "digest") if read(data, entry / key) is not None}
    edits: list[Edit] = []
    if new_name is not None:
        edits.append(Edit(address=entry / "newName", value=new_name, create=is_there))
    given = {"newTag": tag, "digest": digest}
    if tag is None and digest is None:
        return edits
    for key, other in (("newTag", "digest"), ("digest", "newTag")):
        value = given[key]
        if value is None:
            continue
        if key not in has and other in has and given[other] is None:
            edits.append(Edit(address=entry / other, value=value, rename=key))
            has.discard(other)
        else:
            edits.append(Edit(address=entry / key, value=value, create=is_there))
    edits += [Edit(address=entry / key, value=None) for key in sorted(has) if given[key] is None]
    return edits
