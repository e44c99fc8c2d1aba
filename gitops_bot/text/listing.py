"""What ``gitops-bot apps`` prints."""

from __future__ import annotations

import msgspec

from gitops_bot.model.listing import Listed, ListedSource, Listing
from gitops_bot.text.escape import visible, visible_lines

_HEADINGS = ("KIND", "NAME", "SOURCE", "DEFINED IN")


def to_json(listing: Listing) -> bytes:
    """The listing as JSON, indented by two, with a final newline."""
    return msgspec.json.format(msgspec.json.encode(listing), indent=2) + b"\n"


def to_text(listing: Listing) -> str:
    """A table of targets, then what cannot be rendered with its reason, then a line that counts both."""
    rows = [_row(target) for target in listing.targets]
    widths = [max(map(len, column)) for column in zip(_HEADINGS, *rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in ((_HEADINGS, *rows) if rows else ())
    ]
    broken = [(target.id, target.reason) for target in listing.targets if target.reason]
    broken += [(problem.id, problem.reason) for problem in listing.problems]
    if broken:
        lines += ["", "Cannot be rendered:", *_by_reason(broken)]
    noted = [(target.id, warning) for target in listing.targets for warning in target.warnings]
    if noted:
        lines += ["", "Good to know:", *_by_reason(noted)]
    able = sum(not target.reason for target in listing.targets)
    lines += [""] if lines else []
    lines.append(
        f"{len(listing.targets)} {'target' if len(listing.targets) == 1 else 'targets'}, {able} can be rendered."
    )
    return "\n".join(lines) + "\n"


def _by_reason(entries: list[tuple[str, str]]) -> list[str]:
    """What shares a reason, one under another, then the reason once."""
    shared: dict[str, list[str]] = {}
    for identity, reason in entries:
        shared.setdefault(reason, []).append(identity)
    lines = []
    for reason, identities in shared.items():
        lines += [f"  {visible(identity)}" for identity in identities]
        lines += [f"      {line}" for line in visible_lines(reason)]
    return lines


def _row(target: Listed) -> tuple[str, str, str, str]:
    sources = ", ".join(map(_source, target.sources)) or "-"
    return target.kind, visible(target.name), visible(sources), visible(target.file or ".")


def _source(source: ListedSource) -> str:
    """``k8s/helm/web``, ``https://charts.example.org web 1.2.3``, ``https://github.com/acme/other apps/web@main``."""
    if source.chart:
        return f"{source.repository} {source.chart} {source.revision}"
    if source.repository and source.revision:
        return f"{source.path or '.'}@{source.revision}"
    return source.path or "."
