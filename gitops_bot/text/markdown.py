"""The pull request comment: pieces of GitHub Markdown, each whole in itself, so that leaving one out breaks nothing."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from gitops_bot.text.escape import fence, html_text, md_cell_code, md_code, md_lines, md_text
from gitops_bot.text.shorten import MOST_LINES, MOST_MISSING, shorten_diff, shorten_names
from gitops_bot.text.view import Block, Missing, Section, Verdict, View
from gitops_bot.text.wording import (
    LOSSES,
    apps,
    losses,
    objects,
    objects_word,
    remarks,
    renames,
    restarts,
    title,
)

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

_ICONS: dict[Verdict, str] = {"none": "✅", "changes": "📝", "removals": "🗑️", "failed": "❌"}
_DOTS = {"added": "🟢", "changed": "🟡", "removed": "🔴"}
"""What stands before an action; the words ``added`` and ``removed`` are said as well."""
_OPEN_BLOCKS = 3
"""Up to so many distinct changes are shown opened."""


class Comment(msgspec.Struct, frozen=True, kw_only=True):
    """A comment's body in pieces. Header and footer are always sent; blocks may be left out from the end."""

    header: str
    """Counts, coverage, alerts: what nobody must miss."""
    blocks: tuple[str, ...]
    """Image table, one piece per distinct change, headings of what comes later, folded lists."""
    footer: str
    """Warnings, plan hashes, notes, tool versions."""

    @property
    def text(self) -> str:
        """The whole body, ends in a line feed."""
        return self.header + "".join(self.blocks) + self.footer


def build_comment(view: View, *, most_lines: int = MOST_LINES) -> Comment:
    """Lay a view out as Markdown; ``most_lines`` limits the diff of one resource (what is cut is counted)."""
    failed = [one for one in view.missing if one.failed]
    skipped = [one for one in view.missing if not one.failed]
    header = _fill(
        "header",
        view=view,
        icon=_ICONS[view.verdict],
        failed=failed,
        failed_number=sum(len(one.ids) for one in failed),
        skipped=skipped,
        skipped_number=sum(len(one.ids) for one in skipped),
        losses=losses(view),
        losses_heading=LOSSES,
    )
    return Comment(header=header, blocks=tuple(_blocks(view, most_lines)), footer=_fill("footer", view=view))


def _blocks(view: View, most_lines: int) -> Iterator[str]:
    """Make the pieces between header and footer."""
    if view.images:
        yield _fill("images", rows=view.images)
    opened = sum(len(section.blocks) for section in view.sections) <= _OPEN_BLOCKS
    for section in view.sections:
        if section.reaches:
            yield _later(section)
        for block in section.blocks:
            yield _block(block, opened=opened and not section.reaches, most_lines=most_lines)
    if view.noise:
        yield _folded("only chart labels and checksums differ", view.noise)
    if view.ignored:
        yield _folded("hidden by ignoreDifferences", view.ignored)


def _later(section: Section) -> str:
    """Head the changes that the merge does not bring."""
    return f"#### Later, when {md_code(section.reaches)} moves: {md_text(section.phrase)}\n\n"


def _block(block: Block, *, opened: bool, most_lines: int) -> str:
    """Show one distinct change."""
    shown = shorten_diff(block.diff, most_lines)
    said = [f"{objects_word(block)}: {', '.join(objects(block))}"] if objects(block) else []
    if len(block.targets) > len(shorten_names(block.targets)[0]):
        said.append(f"apps: {', '.join(block.targets)}")
    said += [f"renamed: {', '.join(renames(block))}"] if renames(block) else []
    lines = "\n".join(shown.lines)
    return _fill(
        "block",
        block=block,
        open=opened,
        dot=_DOTS[block.action],
        title=title(block),
        remarks=(*said, *remarks(block)),
        lines=lines,
        fence=fence(lines),
        left_out=shown.remark,
    )


def _folded(heading: str, blocks: Sequence[Block]) -> str:
    """List folded changes in one closed block."""
    entries = [
        {
            "title": title(block),
            "what": ", ".join(field.path for field in block.folded) or "; ".join(remarks(block)),
            "restarts": restarts(block),
            "targets": block.targets,
        }
        for block in blocks
    ]
    size = sum(block.size for block in blocks)
    noun = "resource" if size == 1 else "resources"
    return _fill("folded", heading=f"{size} {noun}: {heading}", entries=entries)


def where(targets: Sequence[str]) -> str:
    """Say where: ``churn-staging``, ``12 apps: a, b and 10 more``."""
    if len(targets) == 1:
        return targets[0]
    names, more = shorten_names(targets)
    return f"{apps(len(targets))}: {', '.join(names)}" + (f" and {more} more" if more else "")


def named(missing: Missing) -> str:
    """Name in Markdown what is missing for one reason; what does not fit is counted."""
    ids, more = shorten_names(missing.ids, MOST_MISSING)
    return ", ".join(map(md_code, ids)) + (f" and {more} more (all with `--format json`)" if more else "")


def _fill(template: str, **values: Any) -> str:
    """Fill one template of the package."""
    return _environment().get_template(f"{template}.md.j2").render(values)


@functools.cache
def _environment() -> SandboxedEnvironment:
    """Make the sandbox that templates run in: filters are the only functions, an unknown name is an error."""
    from jinja2 import PackageLoader, StrictUndefined  # loaded only for a comment: it takes a tenth of a second
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(
        loader=PackageLoader("gitops_bot.text"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # what comes out is Markdown: every foreign value goes through a filter below
    )
    environment.filters.update(
        code=md_code,
        cell_code=md_cell_code,
        prose=md_text,
        message=md_lines,
        named=named,
        summary=html_text,
        where=where,
        apps=apps,
    )
    return environment
