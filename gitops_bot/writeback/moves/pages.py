"""The bodies of pull requests that move versions: sections in Markdown that fit, with foreign text made harmless."""

from __future__ import annotations

from collections.abc import Sequence

from gitops_bot.model.github import CommitInfo, Commits
from gitops_bot.text.escape import md_cell_code, md_code, md_link, md_text
from gitops_bot.text.shorten import clip
from gitops_bot.writeback.moves.code import Code
from gitops_bot.writeback.moves.gates import Gate, gates_table
from gitops_bot.writeback.trailers import read_trailers

MOST = 60_000
"""Characters of a body; GitHub takes 65,536, and a marker has to fit too."""
_MOST_COMMITS = 25
_MOST_BUILDS = 10
_SHORT = 7


class Page:
    """Sections under a leading sentence; what comes last gives way where there is no room for all."""

    def __init__(self, lead: str) -> None:
        """Take the first paragraph, Markdown of ours."""
        self._parts = [lead]
        self._last = ""

    def asked(self, login: str) -> None:
        """Say who asked, as a name that notifies nobody; nothing for ``""``."""
        if login:
            self._parts.append(f"Asked for by {md_text(login)}.")

    def add(self, section: str) -> None:
        """Add a section; ``""`` is left out."""
        if section:
            self._parts.append(section.rstrip("\n"))

    def last(self, section: str) -> None:
        """Set what comes last, the rendered diff: it is left out, and that is said, where there is no room for it."""
        self._last = section.rstrip("\n")

    def text(self) -> str:
        """The whole body, at most ``MOST`` characters."""
        parts, room = [], MOST - 200
        left_out = 0
        for part in [*self._parts, *([f"### Rendered diff\n\n{self._last}"] if self._last else [])]:
            if len(part) + 2 <= room:
                parts.append(part)
                room -= len(part) + 2
            else:
                left_out += 1
        if left_out:
            what = "1 section is" if left_out == 1 else f"{left_out} sections are"
            parts.append(f"_{what} left out here, because a pull request has no room for more._")
        return "\n\n".join(parts) + "\n"


def builds_of(commits: Commits, environment: str) -> tuple[str, ...]:
    """The runs that the bumps of an environment among these commits came from, newest first, each once."""
    told = [read_trailers(commit.message) for commit in commits.commits]
    return tuple(dict.fromkeys(each.run_url for each in told if each.run_url and each.environment in ("", environment)))


def gates_section(gates: Sequence[Gate]) -> str:
    """The gates under a heading; ``""`` without gates."""
    return f"### Gates\n\n{gates_table(gates)}" if gates else ""


def renders_section(names: Sequence[str]) -> str:
    """The targets that render differently; ``""`` without any."""
    return f"Renders differently: {', '.join(map(md_code, names))}" if names else ""


def notes_section(notes: Sequence[str]) -> str:
    """Sentences with foreign text, as a list under a heading; ``""`` without any."""
    if not notes:
        return ""
    return "\n".join(["### To know", "", *(f"- {md_text(note)}" for note in dict.fromkeys(notes))])


def commits_section(commits: Commits, title: str = "Commits") -> str:
    """The newest commits with their links, and how many more there are; ``""`` for none."""
    return "\n".join([f"### {title}", "", *_listed(commits, _MOST_COMMITS)]) if commits.total else ""


def code_section(code: Sequence[Code], builds: Sequence[str]) -> str:
    """The commits of the application behind each image, and the builds of what is promoted; ``""`` for nothing."""
    if not code and not builds:
        return ""
    parts = ["### Commits of the application"]
    for one in code:
        parts.append(_headed(one))
        listed = _listed(one.commits, max(_MOST_COMMITS // len(code), 3))
        parts += ["\n".join(listed)] if listed else []
    parts += (
        [f"Built by {', '.join(md_link(md_text(clip(url, 120)), url) for url in builds[:_MOST_BUILDS])}."]
        if builds
        else []
    )
    return "\n\n".join(parts)


def _headed(code: Code) -> str:
    """What is built from which commits of which repository, with a link to all of them as one diff."""
    what = ", ".join(map(md_code, code.what[:5])) + (f" and {len(code.what) - 5} more" if len(code.what) > 5 else "")
    old, new = code.span.old[:_SHORT], code.span.new[:_SHORT]
    ends = md_link(f"{md_code(f'{old}...{new}')}", code.commits.url)
    count = code.commits.total
    if not count:
        return f"{what}: {ends} of {md_text(code.span.repository)}, which could not be read here."
    many = "1 commit" if count == 1 else f"{count} commits"
    if code.back:
        return f"⚠️ {what} goes **back** by {many} of {md_text(code.span.repository)}, {ends}:"
    return f"{what} gets {many} of {md_text(code.span.repository)}, {ends}:"


def _listed(commits: Commits, most: int) -> list[str]:
    shown = commits.commits[:most]
    lines = [_line(commit) for commit in shown]
    if commits.total > len(shown):
        lines.append(f"- {md_link(f'{commits.total - len(shown)} more', commits.url)}")
    return lines


def _line(commit: CommitInfo) -> str:
    who = f", {md_text(clip(commit.author, 40))}" if commit.author else ""
    return f"- {md_link(md_code(commit.sha[:7]), commit.url)} {md_text(clip(commit.subject, 100))}{who}"


def hold_rows(rows: Sequence[tuple[str, str, str]]) -> str:
    """Holds as a table: what, version, until; ``""`` without any."""
    if not rows:
        return ""
    lines = [f"| {' | '.join(map(md_cell_code, row))} |" for row in rows]
    return "\n".join(["| held | version | until |", "|---|---|---|", *lines])
