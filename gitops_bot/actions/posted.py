"""The report of a run without rights: foreign data about a pull request that only the API can name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec

from gitops_bot.actions.activity import WorkflowFinished
from gitops_bot.actions.environment import place
from gitops_bot.errors import UsageError
from gitops_bot.model import typed
from gitops_bot.model.github import PullRequest
from gitops_bot.model.report import SCHEMA_VERSION, Report
from gitops_bot.model.signal import CATALOGUE

if TYPE_CHECKING:
    from gitops_bot.doors.github.api import GitHub

LARGEST = 16 << 20
"""Bytes of a report that are read."""
_DEEPEST = 64
"""How deep a field's value may be nested; the API server itself takes no object much deeper."""


def matching_pull(github: GitHub, activity: WorkflowFinished, base_branch: str) -> PullRequest | None:
    """The open pull request whose head is the commit that the finished run was for; None when it moved on.

    The event names repository, branch and commit, the API the number. ``base_branch`` is what the report compares with:
    it only chooses among the pull requests of this very commit, and none is chosen where that leaves several.
    Raises GitHubError.
    """
    if not activity.head_repository or not activity.head_branch:
        return None
    found = [
        pull
        for pull in github.pulls_of_head(activity.head_repository, activity.head_branch)
        if pull.head_sha == activity.head_sha and base_branch in ("", pull.base_ref)
    ]
    return found[0] if len(found) == 1 else None


def read_report(workspace: str, path: str, *, head_sha: str) -> Report:
    """The JSON report in a file of the workspace, checked against its schema.

    ``head_sha`` is the commit that it has to be about. Raises UsageError for everything else that it may be.
    """
    file = place(workspace, path, name="report_file", outside=True)
    hint = "it is what `gitops-bot diff --format json --output FILE` writes"
    try:
        if os.path.getsize(file) > LARGEST:
            raise UsageError(f"report_file: {path} is larger than {LARGEST >> 20} MiB", hint=hint)
        with open(file, "rb") as stream:
            report = typed.decode(stream.read(LARGEST + 1), Report)
    except OSError as error:
        raise UsageError(f"report_file: {path} cannot be read: {error.strerror}", hint=hint) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise UsageError(f"report_file: {path} is no report", hint=hint) from error
    if report.schema_version != SCHEMA_VERSION:
        raise UsageError(f"report_file: {path} is of another version", hint="use one version in both workflows")
    if report.compared.head != head_sha:
        raise UsageError(
            f"report_file: {path} is about another commit than the finished run",
            hint="give --head the pull request's head commit in the first workflow",
        )
    fields = (field for change in report.changes for field in (*change.fields, *change.noise))
    if any(_is_deeper(value, _DEEPEST) for field in fields for value in (field.before, field.after)):
        raise UsageError(f"report_file: {path} is nested too deep", hint=hint)
    unknown = {raised.signal.id for raised in report.signals} - CATALOGUE.keys()
    if unknown:
        raise UsageError(
            f"report_file: {path} has signals of another version", hint="use one version in both workflows"
        )
    return report


def _is_deeper(value: Any, most: int) -> bool:
    level = [value]
    for _ in range(most):
        level = [
            item
            for each in level
            if isinstance(each, (dict, list))
            for item in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True
