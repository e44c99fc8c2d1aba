"""What a promotion or a rollback writes, for people and for programs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gitops_bot.model.image import is_digest, same_repository, split
from gitops_bot.text.escape import md_cell_code
from gitops_bot.writeback.editor.leaves import Leaf, shown
from gitops_bot.writeback.subjects import Part, Subject
from gitops_bot.writeback.trailers import Bumped, Trailers, write_trailers


def summary_lines(found: Sequence[Subject]) -> list[str]:
    """The changes in plain text, one line each, for a commit's message: ``ghcr.io/acme/api: sha-1 → sha-2``."""
    return [
        f"{_label(subject, part)}: {_plain(subject, part, part.change.old)} → {_plain(subject, part, part.change.new)}"
        for subject in found
        for part in subject.parts
        if part.change.old != part.change.new
    ]


def table(found: Sequence[Subject], apps: Mapping[str, Sequence[str]], *, heads: tuple[str, str]) -> str:
    """The changes as a Markdown table; ``apps`` are the names of the apps that read a file; ``heads`` name the sides.

    Foreign text is harmless, secrets are masked.
    """
    lines = [f"| app | what | {heads[0]} | {heads[1]} |", "|---|---|---|---|"]
    for subject in found:
        names = apps.get(subject.file) or (subject.file,)
        who = ", ".join(map(md_cell_code, names))
        for part in subject.parts:
            change = part.change
            if change.old != change.new:
                old, new = (_cell(subject, part, leaf) for leaf in (change.old, change.new))
                lines.append(f"| {who} | {md_cell_code(_label(subject, part))} | {old} | {new} |")
    return "\n".join([*lines, ""])


def _label(subject: Subject, part: Part) -> str:
    if subject.kind == "value":
        return str(part.change.address)
    return subject.what if part.role in ("tag", "version") else f"{subject.what} {part.role}"


def _plain(subject: Subject, part: Part, leaf: Leaf | None) -> str:
    if leaf is None:
        return "(not set)"
    return _version(subject, part, leaf) or '""'


def _cell(subject: Subject, part: Part, leaf: Leaf | None) -> str:
    if leaf is None:
        return "not set"
    return md_cell_code(_short(_version(subject, part, leaf))) or "empty"


def _version(subject: Subject, part: Part, leaf: Leaf) -> str:
    """A value for people; of a whole reference of the very image that its line names, only what follows the name."""
    text = shown(part.change.address, leaf)
    name = split(text).repository
    if subject.kind == "image" and name != text and same_repository(name, subject.what):
        return text[len(name) + 1 :]
    return text


def _short(text: str) -> str:
    """A digest by its beginning, which is what people compare; anything else as it is."""
    algorithm, _, value = text.partition(":")
    return f"{algorithm}:{value[:12]}…" if is_digest(text) else text


def trailers(found: Sequence[Subject], environment: str, run_url: str = "") -> tuple[tuple[str, str], ...]:
    """What is written, as the lines that a bump's commit has too: programs read the last version from them."""
    bumps = []
    for subject in found:
        if not subject.changed or subject.kind == "value":
            continue
        old, new = subject.versions(new=False), subject.versions(new=True)
        digest = next(filter(is_digest, new), "")
        bumps.append(
            Bumped(
                kind=subject.kind,
                what=subject.what,
                old=old[0] if old else "",
                new=new[0] if new else "",
                digest=digest if subject.kind == "image" else "",
            )
        )
    return write_trailers(Trailers(environment=environment, bumps=tuple(bumps), run_url=run_url))
