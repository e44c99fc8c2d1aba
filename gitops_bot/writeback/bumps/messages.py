"""What a bump says of itself: the commit's message and the pull request's text. Pure.

Foreign text (names, versions, URLs) is made harmless, and what looks like a secret is masked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from gitops_bot.errors import UsageError
from gitops_bot.model.settings import Commit
from gitops_bot.text.escape import md_cell_code, md_code, md_text, visible
from gitops_bot.writeback.bumps.models import Metric, number
from gitops_bot.writeback.bumps.request import BumpRequest, ImageRequest, ModelRequest, Source, ValueRequest
from gitops_bot.writeback.bumps.rules import Planned, Write
from gitops_bot.writeback.editor.leaves import MASK, Leaf, shown
from gitops_bot.writeback.landing.commit_message import visible_text
from gitops_bot.writeback.trailers import Bumped, Trailers

MODEL_MESSAGE = "chore: deploy model {version}"
VALUE_MESSAGE = "chore: update {path}"
PLACEHOLDERS = ("environment", "image", "name", "tag", "digest", "model", "version", "old", "file", "path")
"""What may stand in braces in ``commit.message``."""

UNKNOWN = "not known"
"""How evidence begins where the order cannot be known."""

_DEFAULT = Commit().message
_LONGEST_SUBJECT = 160
_URL = re.compile(r"https?://[A-Za-z0-9][^\s<>()\[\]`\"'|\\\x00-\x1f\x7f]*")


class Told(NamedTuple):
    """One thing that is written, with what is known of it."""

    planned: Planned
    metrics: tuple[Metric, ...] = ()
    evidence: str = ""
    """How it is known to be newer, or that it is not."""


# -- subject ----------------------------------------------------------------------------------------------------------


def subject(told: Sequence[Told], request: BumpRequest, commit: Commit) -> str:
    """The first line of the commit's message, which is the pull request's title too.

    ``commit.message`` of the settings; with a model in the bump ``chore: deploy model {version}``, unless the settings'
    own text speaks of ``{model}`` or ``{version}``. Raises UsageError for a placeholder that nobody knows.
    """
    template = commit.message
    models = [each for each in told if each.planned.kind == "model"]
    images = [each for each in told if each.planned.kind == "image"]
    if models and "{model}" not in template and "{version}" not in template:
        template = MODEL_MESSAGE
    elif not models and not images and template == _DEFAULT:
        template = VALUE_MESSAGE
    line = fill(template, facts(models or images or told, told, request))
    line = visible(" ".join(line.split()))
    return line if len(line) <= _LONGEST_SUBJECT else line[: _LONGEST_SUBJECT - 1] + "…"


def fill(template: str, known: Mapping[str, str]) -> str:
    """A text with its placeholders filled; ``{{`` and ``}}`` stand for braces. Raises UsageError for unknown ones."""
    unknown = [name for name in re.findall(r"\{(\w+)\}", re.sub(r"\{\{|\}\}", "", template)) if name not in known]
    if unknown:
        raise UsageError(
            f"commit.message has the placeholder {{{unknown[0]}}}, which means nothing",
            hint=f"there are {', '.join(f'{{{name}}}' for name in PLACEHOLDERS)}",
        )
    return re.sub(r"\{\{|\}\}|\{(\w+)\}", lambda found: known[found[1]] if found[1] else found[0][0], template)


def facts(main: Sequence[Told], told: Sequence[Told], request: BumpRequest) -> dict[str, str]:
    """What the placeholders stand for; several things are joined by commas."""
    items = [each.planned.item for each in told]
    images = [item for item in items if isinstance(item, ImageRequest)]
    models = [item for item in items if isinstance(item, ModelRequest)]
    values = [item for item in items if isinstance(item, ValueRequest)]
    versions = [item.version for item in models] or [item.tag for item in images]
    first = [each.planned.main[0] for each in main if each.planned.main]
    return {
        "environment": request.environment or "",
        "image": _joined(item.repository for item in images),
        "name": _joined([*(item.repository.rpartition("/")[2] for item in images), *(item.name for item in models)]),
        "tag": _joined(item.tag for item in images),
        "digest": _joined(item.digest for item in images if item.digest),
        "model": _joined(item.name for item in models),
        "version": _joined(versions),
        "old": _joined(_text(write, old=True) for write in first),
        "file": _joined(write.file for each in told for write in each.planned.writes),
        "path": _joined(item.path for item in values)
        or _joined(str(write.edit.address) for each in told for write in each.planned.main),
    }


def _joined(texts: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(text for text in texts if text))


def _text(write: Write, *, old: bool) -> str:
    """A value for people, masked where it is a secret."""
    return shown(write.edit.address, Leaf(write.old if old else write.new, "string"))


# -- the commit's message ---------------------------------------------------------------------------------------------


def message(told: Sequence[Told], request: BumpRequest) -> str:
    """The rest of the commit's message in plain text, without trailers."""
    lines: list[str] = []
    for each in told:
        main = each.planned.main[0]
        lines.append(
            f"{each.planned.what}: {_text(main, old=True) or '(none)'} -> {_text(main, old=False) or '(none)'}"
        )
        lines += [f"  {write.role}: {_text(write, old=False)}" for write in _more(each.planned)]
        lines += [f"  {_metric_line(metric)}" for metric in each.metrics]
        if each.evidence:
            lines.append(f"  order: {each.evidence}")
    about = [f"{label}: {url}" for label, url in _links(told, request.source, plain=True)]
    return visible_text("\n".join([*lines, *([""] if about else []), *about]))


def _more(planned: Planned) -> list[Write]:
    """What is written beside tag, version or value, each once."""
    found = {write.role: write for write in planned.writes if write not in planned.main and write.new}
    return list(found.values())


def _metric_line(metric: Metric) -> str:
    old = f"{number(metric.old)} -> " if metric.old is not None else ""
    delta = f" ({metric.delta:+.6g})" if metric.delta is not None else ""
    verdict = "" if metric.passes is None else f", {'meets' if metric.passes else 'MISSES'} {metric.condition}"
    return f"{metric.name}: {old}{number(metric.new) or '(not given)'}{delta}{verdict}"


# -- the pull request's text ------------------------------------------------------------------------------------------


def body(told: Sequence[Told], request: BumpRequest, notes: Sequence[str], changes: Sequence[str]) -> str:
    """Markdown: what changes where, metrics against thresholds, where it comes from, and what must be known.

    ``changes`` are the names of the targets that render differently, where that was looked at.
    """
    parts = [_table(told)]
    parts += [_metrics(each) for each in told if each.metrics]
    lineage = [f"- {label}: {_link(url)}" for label, url in _links(told, request.source, plain=False)]
    known = [each for each in told if each.evidence and not each.evidence.startswith(UNKNOWN)]
    lineage += [f"- Order of {md_code(each.planned.what)}: {md_text(each.evidence)}" for each in known]
    if lineage:
        parts.append("\n".join(["**Where it comes from**", "", *lineage]))
    if changes:
        parts.append(f"Renders differently: {', '.join(map(md_code, changes))}")
    if notes:
        parts.append("\n".join(["**To know**", "", *(f"- {md_text(note)}" for note in notes)]))
    return "\n\n".join(parts) + "\n"


def _table(told: Sequence[Told]) -> str:
    rows = ["| what | old | new | where |", "|---|---|---|---|"]
    for each in told:
        for write in each.planned.writes:
            what = (
                each.planned.what if write.role in ("tag", "version", "value") else f"{each.planned.what} {write.role}"
            )
            if each.planned.kind == "value":
                what = str(write.edit.address)
            cells = (what, _text(write, old=True), _text(write, old=False), write.file)
            if write.old != write.new or write in each.planned.main:
                rows.append("| " + " | ".join(md_cell_code(cell) or "none" for cell in cells) + " |")
    return "\n".join(dict.fromkeys(rows[:2] + rows[2:]))


def _metrics(each: Told) -> str:
    rows = [f"**Metrics of {md_code(each.planned.what)}**", "", "| metric | old | new | delta | threshold |  |"]
    rows.append("|---|--:|--:|--:|---|---|")
    for metric in each.metrics:
        delta = f"{metric.delta:+.6g}" if metric.delta is not None else ""
        verdict = {None: "", True: "✅ met", False: "❌ **missed**"}[metric.passes]
        cells = (number(metric.old), number(metric.new) or "not given", delta, metric.condition)
        rows.append(f"| {md_cell_code(metric.name)} | " + " | ".join(map(md_text, cells)) + f" | {verdict} |")
    return "\n".join(rows)


def _links(told: Sequence[Told], source: Source, *, plain: bool) -> list[tuple[str, str]]:
    """Where everything comes from: label and URL, or text where there is none."""
    found: list[tuple[str, str]] = []
    if source.commit_url or source.commit:
        commit = source.commit_url or " ".join(part for part in (source.repository, source.commit) if part)
        found.append(("Source", commit))
    if source.run_url:
        found.append(("Build", source.run_url))
    for each in told:
        item = each.planned.item
        if isinstance(item, ModelRequest):
            for label, text in (("Training run", item.run_url), ("Registry", item.page_url)):
                found += [(label, text)] if text else []
            if not plain:
                found += [(f"Stored at ({part})", text) for part, text in (("model", item.path), ("data", item.data))
                          if text]  # fmt: skip
    if source.actor:
        found.append(("Asked for by", source.actor))
    return found


def _link(text: str) -> str:
    """A URL as a link, anything else as code."""
    return f"<{text}>" if _URL.fullmatch(text) else md_code(text)


# -- for programs -----------------------------------------------------------------------------------------------------


def trailers(told: Sequence[Told], request: BumpRequest) -> Trailers:
    """What programs read back; a value that is a secret is left out, not masked."""
    bumps = []
    for each in told:
        main = each.planned.main[0]
        old, new = (_text(main, old=side) for side in (True, False))
        item = each.planned.item
        bumps.append(
            Bumped(
                kind=each.planned.kind,
                what=each.planned.what,
                old="" if MASK in (old, new) else main.old,
                new="" if MASK in (old, new) else main.new,
                digest=item.digest if isinstance(item, ImageRequest) else "",
            )
        )
    source = request.source
    return Trailers(
        environment=request.environment or "",
        bumps=tuple(bumps),
        repository=source.repository,
        commit=source.commit,
        run=source.run,
        run_url=source.run_url,
        metrics={
            each.planned.what: {metric.name: metric.new for metric in each.metrics if metric.new is not None}
            for each in told
            if any(metric.new is not None for metric in each.metrics)
        },
    )
