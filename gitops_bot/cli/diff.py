"""``gitops-bot diff``: what merging a change would really do to the cluster."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import click

from gitops_bot.cli import options
from gitops_bot.errors import RenderError
from gitops_bot.model.report import Report
from gitops_bot.model.signal import SEVERITIES, Severity

Format = Literal["text", "markdown", "json"]


@click.command("diff")
@options.repository
@click.option("--base", default="origin/HEAD", show_default=True, metavar="REV", help="What is merged into.")
@click.option("--head", metavar="REV", help="What is merged.  [default: the working tree]")
@options.selection
@click.option("--format", "format_", type=click.Choice(["text", "markdown", "json"]), default="text", show_default=True)
@click.option("--output", metavar="FILE", help="Write there instead of to standard output.")
@click.option("--templates", metavar="DIR", help="Templates of --format markdown.  [default: the base revision's]")
@click.option("--exit-code", is_flag=True, help="Exit with 1 when something changes.")
@click.option("--fail-on", "fail_on", multiple=True, type=click.Choice(SEVERITIES),
              help="Exit with 7 when a signal of this severity is raised; may be repeated.")  # fmt: skip
@options.cache
@click.option("--timings", is_flag=True, help="Say on standard error where the time went.")
def command(
    *,
    repo: str,
    repo_urls: tuple[str, ...],
    base: str,
    head: str | None,
    apps: tuple[str, ...],
    format_: Format,
    output: str | None,
    templates: str | None,
    exit_code: bool,
    fail_on: tuple[Severity, ...],
    cache_dir: str | None,
    no_cache: bool,
    offline: bool,
    timings: bool,
) -> int:
    """Show what a change will really do to the cluster.

    Compares the base with the result of merging the head into it. Where they conflict, the merge base is compared with
    the head, and it says so. Exits with 0 when done, 1 with --exit-code and changes, 2 for wrong options or settings,
    3 when something selected could not be rendered, 7 with --fail-on and such a signal.
    """
    from gitops_bot.cli.reviewer import Clock, Revisions, run_review
    from gitops_bot.cli.workspace import Wanted

    wanted = Wanted(repo_urls=repo_urls, cache_dir=cache_dir, no_cache=no_cache, offline=offline)
    clock = Clock(wanted=timings)
    revisions = Revisions(repo=repo, base=base, head=head)
    given = None if templates is None else _templates(templates)
    reviewed = run_review(revisions, wanted, apps=apps, plans=format_ != "text", clock=clock)
    report = reviewed.report
    _write(report, format_, output, reviewed.templates if given is None else given)
    clock.mark("write")
    if any(entry.failed for entry in report.not_rendered):
        return RenderError.exit_code
    if fail_on:
        from gitops_bot.review.signals.raised import refusal

        refused = refusal(report, fail_on)
        if refused is not None:
            raise refused
    counts = report.counts
    return 1 if exit_code and counts.added + counts.changed + counts.removed else 0


def _write(report: Report, format_: Format, output: str | None, templates: Mapping[str, str]) -> None:
    """Show the report on standard output, or put it into a file, whole or not at all."""
    if output is None and format_ == "text":
        from gitops_bot.review.view import build_view
        from gitops_bot.text import terminal

        terminal.write(build_view(report), sys.stdout)
        return
    content = _content(report, format_, templates)
    if output is not None:
        _replace(output, content)
    else:
        out = sys.stdout.buffer
        out.write(content)
        out.flush()


def _content(report: Report, format_: Format, templates: Mapping[str, str]) -> bytes:
    if format_ == "json":
        from gitops_bot.text.diff_json import encode_report

        return encode_report(report)
    from gitops_bot.review.view import build_view

    view = build_view(report)
    if format_ == "markdown":
        from gitops_bot.text.markdown import build_comment

        return build_comment(view, templates).text.encode()
    from gitops_bot.text.terminal import plain_text

    return plain_text(view).encode()


def _replace(path: str, content: bytes) -> None:
    from gitops_bot.doors.files import write_whole
    from gitops_bot.errors import UsageError

    try:
        write_whole(path, content)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", hint="name another file with --output") from error


def _templates(directory: str) -> dict[str, str]:
    """The templates in a directory, by file name. Raises UsageError."""
    from gitops_bot.errors import UsageError

    try:
        files = sorted(file for file in Path(directory).iterdir() if file.suffix == ".j2")
        return {file.name: file.read_text("utf-8") for file in files}
    except (OSError, UnicodeDecodeError) as error:
        hint = "name a directory with files such as header.md.j2"
        raise UsageError(f"--templates {directory} cannot be read", hint=hint) from error
