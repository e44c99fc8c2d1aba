"""The report's files in the workspace, where a later step uploads them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gitops_bot.actions.environment import place
from gitops_bot.doors.files import write_whole
from gitops_bot.errors import UsageError
from gitops_bot.model.report import Report

if TYPE_CHECKING:
    from gitops_bot.text.view import View

HTML, JSON = "report.html", "report.json"


def write_reports(workspace: str, directory: str, report: Report, view: View) -> str:
    """Write the HTML and the JSON report, each whole or not at all; the HTML's path relative to the workspace.

    Raises UsageError when the directory cannot be written.
    """
    from gitops_bot.text.diff_json import encode_report
    from gitops_bot.text.html import html_report

    folder = place(workspace, directory, name="report_directory")
    try:
        os.makedirs(folder, exist_ok=True)
        for name, content in ((HTML, html_report(view)), (JSON, encode_report(report))):
            path = os.path.join(folder, name)
            if os.path.islink(path):  # the repository's own: it is not followed to wherever it leads
                os.unlink(path)
            write_whole(path, content)
        hand_over(workspace, folder)
    except OSError as error:
        raise UsageError(
            f"report_directory: {directory} cannot be written: {error.strerror}", hint="name another directory"
        ) from error
    return os.path.relpath(os.path.join(folder, HTML), os.path.realpath(workspace))


def hand_over(workspace: str, path: str) -> None:
    """Give a directory with all below it, and what it lies in below the workspace, to the workspace's owner.

    A container writes as root; later steps (upload, cache, clean-up) are another user. Nothing is done for others than
    root, and links are not followed. Raises OSError.
    """
    if os.geteuid() != 0 or not os.path.isdir(path):
        return
    root, owner = os.path.realpath(workspace), os.stat(workspace)
    found = [path, *_below(path)]
    above = os.path.dirname(path)
    while above.startswith(f"{root}/"):
        found.append(above)
        above = os.path.dirname(above)
    for each in found:
        if os.lstat(each).st_uid == 0:
            os.chown(each, owner.st_uid, owner.st_gid, follow_symlinks=False)


def take_over(path: str) -> None:
    """Make a directory and all below it root's where we are root: Git works in no repository of somebody else's.

    What an earlier step restored belongs to that step's user. Nothing is done for others than root. Raises OSError.
    """
    if os.geteuid() == 0 and os.path.isdir(path):
        for each in (path, *_below(path)):
            os.chown(each, 0, 0, follow_symlinks=False)


def _below(path: str) -> Iterator[str]:
    for directory, folders, files in os.walk(path):
        yield from (os.path.join(directory, name) for name in (*folders, *files))
