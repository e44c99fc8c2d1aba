"""The step's outputs: their names and meanings in one place, and writing them so that no value can name another.

``action.yml``, ``docs/reference/action.md`` and the README repeat the table; a test compares them.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from typing import NamedTuple

from gitops_bot.errors import UsageError
from gitops_bot.model.report import Report


class Output(NamedTuple):
    """One output of the Action."""

    name: str
    meaning: str
    """One or two sentences of Markdown, without bars and line breaks."""


OUTPUTS = (
    Output(
        "changed",
        "`true` when anything is added, changed or removed, or when something was committed, proposed or tagged, else "
        "`false`.",
    ),
    Output("added", "How many resources are added."),
    Output("changed_count", "How many resources are changed."),
    Output("removed", "How many resources are removed."),
    Output("failed", "How much could not be rendered; not `0` means that changes may be missing."),
    Output("routine", "`true` when nothing but images and charts move, by patch versions, and no signal is raised."),
    Output("errors", "How many signals of severity error are raised and not silenced."),
    Output("warnings", "How many signals of severity warning are raised and not silenced."),
    Output("comment_url", "Where the comment is; empty when there is none."),
    Output("report", "Path of the HTML report in the workspace; empty when there is none."),
    Output("plan", "Hash of everything that the changed targets will be; empty when it cannot be known beforehand."),
    Output(
        "mode",
        "How `bump`, `promote` and `rollback` have written: `api`, `push`, `pull-request`, `tag` (alone), `dry-run`, "
        "or `nothing`; empty for other commands.",
    ),
    Output("branch", "The branch that was written to or that is proposed to change; empty for `nothing`."),
    Output("commit_sha", "The commit that was made, on that branch or on the pull request's."),
    Output(
        "pull_request_number", "The pull request that was opened, or whose merge was tagged; empty when there is none."
    ),
    Output("pull_request_url", "Page of that pull request."),
    Output("changed_files", "Files that were changed, one per line."),
    Output("tag", "The tag that `promote` or `rollback` has made; empty when there is none."),
)
"""In the order in which people read them. All are set by every run that ends without an error of the Action's own."""

NOTHING: Mapping[str, str] = {
    **dict.fromkeys(("changed", "routine"), "false"),
    **dict.fromkeys(("added", "changed_count", "removed", "failed", "errors", "warnings"), "0"),
    **dict.fromkeys(("comment_url", "report", "plan"), ""),
    **dict.fromkeys(
        ("mode", "branch", "commit_sha", "pull_request_number", "pull_request_url", "changed_files", "tag"), ""
    ),
}
"""The outputs of a run that had nothing to do."""

_NAMES = frozenset(each.name for each in OUTPUTS)


def report_outputs(report: Report) -> dict[str, str]:
    """The outputs that follow from a report; the flow adds ``comment_url``, ``report`` and ``plan``."""
    counts = report.counts
    raised = [each.signal.severity for each in report.signals if each.silenced is None]
    return {
        "changed": "true" if counts.added + counts.changed + counts.removed else "false",
        "added": str(counts.added),
        "changed_count": str(counts.changed),
        "removed": str(counts.removed),
        "failed": str(sum(1 for entry in report.not_rendered if entry.failed)),
        "routine": "true" if report.routine else "false",
        "errors": str(raised.count("error")),
        "warnings": str(raised.count("warning")),
    }


def write_outputs(
    path: str, values: Mapping[str, str], *, delimiter: Callable[[], str] = lambda: secrets.token_hex(16)
) -> None:
    """Append outputs to the runner's file, in order of their names; nothing is done where ``path`` is ``""``.

    ``delimiter`` makes 128 random bits as text, anew at every call.
    Raises UsageError for a value that the file cannot carry or a file that cannot be written, and KeyError for a name
    that is none of ``OUTPUTS``.
    """
    unknown = sorted(values.keys() - _NAMES)
    if unknown:
        raise KeyError(unknown[0])
    if not path or not values:
        return
    entries = b"".join(_entry(name, values[name], delimiter) for name in sorted(values))
    try:
        with open(path, "ab+") as file:
            file.write(b"\n" * _ends_open(file.fileno()) + entries)
    except OSError as error:
        raise UsageError(
            f"the outputs cannot be written: {error.strerror}", hint="GITHUB_OUTPUT names the file"
        ) from error


def _entry(name: str, value: str, delimiter: Callable[[], str]) -> bytes:
    if "\0" in value:
        raise UsageError(f"the output {name} has a NUL character", hint="no output can carry one")
    end = f"end-{delimiter()}"
    while end in value:
        end = f"end-{delimiter()}"
    try:
        return f"{name}<<{end}\n{value}\n{end}\n".encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"the output {name} is not text", hint="its path or name is not UTF-8") from error


def _ends_open(file: int) -> bool:
    """Whether a file ends amid a line."""
    size = os.fstat(file).st_size
    return size > 0 and os.pread(file, 1, size - 1) != b"\n"
