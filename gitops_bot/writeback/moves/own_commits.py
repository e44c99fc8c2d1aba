"""Which commits of a branch only write down what this program was asked for, and so say nothing new to CI. Pure.

A login alone does not tell: the token of a workflow has the login of every workflow of its repository.
"""

from __future__ import annotations

from collections.abc import Sequence

from gitops_bot.model.github import CommitInfo
from gitops_bot.model.settings import Settings
from gitops_bot.writeback.environments import own_files, shared_files
from gitops_bot.writeback.holds import FILE
from gitops_bot.writeback.landing.commit_message import topic_of


def is_own(settings: Settings, commit: CommitInfo) -> bool:
    """Whether this program made a commit: by login and signature, by its message, and by what it changes."""
    return commit.own_login and bool(topic_of(commit.message)) and only_values(settings, commit.paths)


def only_values(settings: Settings, paths: Sequence[str] | None) -> bool:
    """Whether all of these paths are files that this program writes: values of environments, and holds.

    None, paths that are not known, are none of them.
    """
    if paths is None:
        return False
    written = {FILE, *shared_files(settings)}
    for name in settings.environments:
        written |= set(own_files(settings, name, paths))
    return written.issuperset(paths)
