"""Words that the terminal and the comment share: headings, places, remarks. Foreign text comes out unescaped. Pure."""

from __future__ import annotations

from gitops_bot.text.view import Block, ImageRow, Member, View

SIGNS = {"added": "+", "changed": "~", "removed": "-"}
"""What stands before an action."""

LOSSES = "Removals that take more along"
"""Heading of ``losses``."""


def title(block: Block) -> str:
    """Name what a block is about: ``Deployment churn-api (churn-staging)``, ``40x Deployment``."""
    first = block.members[0]
    if len(block.members) == 1:
        return f"{block.kind} {member_name(first)}"
    if len({member.name for member in block.members}) == 1:
        return f"{block.kind} {first.name}"
    return f"{len(block.members)}x {block.kind}"


def member_name(member: Member) -> str:
    """Name one object: ``churn-api (churn-staging)``; the namespace is left out where there is none."""
    return f"{member.name} ({member.namespace})" if member.namespace else member.name


def objects(block: Block) -> tuple[str, ...]:
    """Name the objects of a block where its title does not; empty for a block of one object."""
    if len(block.members) == 1:
        return ()
    if len({member.name for member in block.members}) == 1:
        return tuple(member.namespace or "(cluster)" for member in block.members)
    return tuple(member_name(member) for member in block.members)


def objects_word(block: Block) -> str:
    """Say what ``objects`` lists: ``namespaces`` or ``objects``."""
    return "namespaces" if len({member.name for member in block.members}) == 1 else "objects"


def renames(block: Block) -> tuple[str, ...]:
    """Name the members that had another name: ``cfg-9k1 to cfg-6h2``."""
    return tuple(f"{member.renamed_from} to {member.name}" for member in block.members if member.renamed_from)


def losses(view: View, reaches: str | None = None) -> tuple[tuple[str, str], ...]:
    """Name each removed object that takes others along, and say what: (object and place, consequence).

    ``reaches`` asks for one section's only, where its heading says when. What a risk tells already is left out.
    """
    told = {
        (risk.reaches, name, target)
        for risk in view.risks
        if risk.id == "data-deletion"
        for name in risk.objects
        for target in risk.targets
    }
    return tuple(
        (
            f"{block.kind} {member_name(member)} in {place}"
            + (f", when {section.reaches} moves" * bool(section.reaches and reaches is None)),
            block.consequence,
        )
        for section in view.sections
        for block in section.blocks
        for member in block.members
        for place in member.targets
        if block.consequence
        and reaches in (None, section.reaches)
        and (section.reaches, f"{block.kind} {member_name(member)}", place) not in told
    )


def remarks(block: Block) -> tuple[str, ...]:
    """Say what the diff does not: a hook, what is hidden or folded beside it."""
    said = []
    if block.hidden:
        fields = "field" if block.hidden == 1 else "fields"
        said.append(f"{block.hidden} {fields} hidden by ignoreDifferences")
    if block.folded:
        fields = "field" if len(block.folded) == 1 else "fields"
        said.append(f"{len(block.folded)} {fields} folded (chart labels, checksums)")
    if restarts(block):
        said.append("its pods restart")
    return tuple(said)


def restarts(block: Block) -> bool:
    """Whether a folded field is one of a pod template: that is what checksum annotations are for."""
    return any("template.metadata." in field.path for field in block.folded)


def image_sides(row: ImageRow) -> tuple[str, str]:
    """Name both sides of an image's move; ``(none)`` where it is new or gone."""
    return row.before or "(none)", row.after or "(none)"


def apps(number: int) -> str:
    """``1 app``, ``12 apps``."""
    return "1 app" if number == 1 else f"{number} apps"
