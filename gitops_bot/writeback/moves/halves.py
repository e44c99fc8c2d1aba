"""Images and models that a promotion would copy by half: what is left behind would go on deciding what runs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gitops_bot.model.tree import Tree
from gitops_bot.writeback.editor.address import Address
from gitops_bot.writeback.editor.leaves import Leaf, shown
from gitops_bot.writeback.environments import Pair
from gitops_bot.writeback.places import Places
from gitops_bot.writeback.subjects import Subject


def halves(found: Sequence[Subject], pairs: Sequence[Pair], source: Tree, after: Tree, *, target: str) -> Iterator[str]:
    """A sentence for each part of a changed image or model that the target keeps and the source has otherwise.

    ``after`` is the target's tree with the values copied. A tag without its digest leaves the old digest in force, or
    loses the one that was proved; a model's version without its path or data speaks of another model.
    """
    files = {pair.target: pair.source for pair in pairs}
    here, there = Places(after), Places(source)
    for subject in found:
        if not subject.changed or subject.file not in files:
            continue
        file = files[subject.file]
        for role, address in subject.places.items():
            kept, proved = here.leaf(subject.file, address), there.leaf(file, address)
            if (kept.text if kept else "") != (proved.text if proved else ""):
                yield (
                    f"{subject.what} would be copied without its {role}: {subject.file} would keep "
                    f"{_told(address, kept)}, and {file} has {_told(address, proved)}; "
                    f"add {address} to promotion.{target}.copy"
                )


def _told(address: Address, leaf: Leaf | None) -> str:
    text = shown(address, leaf)
    return f"{text} at {address}" if text else f"no {address}"
