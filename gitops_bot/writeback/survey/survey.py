"""From a repository's files and what Git says of it to the settings that fit it. Pure, and needs no tool."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

from gitops_bot.model import url as urls
from gitops_bot.model.tree import Tree
from gitops_bot.render.definitions import Definition, find_definitions
from gitops_bot.render.own import OwnUrls
from gitops_bot.render.settings import FILE
from gitops_bot.writeback.editor.search import Searched, searched
from gitops_bot.writeback.survey.environments import find_environments
from gitops_bot.writeback.survey.images import find_images
from gitops_bot.writeback.survey.models import find_models
from gitops_bot.writeback.survey.proposed import Facts, Proposed, ProposedUrl


def propose(tree: Tree, facts: Facts) -> Proposed:
    """The settings that fit what is in a tree; its own settings are not looked at, so doing it again changes nothing.

    Applications are taken as files have them: what a chart or an ApplicationSet would make of its templates is not
    known here. Raises GitError when a blob cannot be read.
    """
    applications = find_definitions(tree).applications
    repositories = find_own_urls(tree, applications, OwnUrls(facts.own))
    own = OwnUrls([*facts.own, *(each.url for each in repositories)])
    environments = find_environments(tree, applications, facts, own)
    names = [each.name for each in environments]
    files = Searched({path: data for path, data in searched(tree).contents.items() if path != FILE})
    owners = _owners([*facts.own, *(each.url for each in repositories)])
    images, others = find_images(files, names, owners)
    return Proposed(
        environments=environments,
        images=images,
        models=find_models(files, names),
        repositories=repositories,
        other_images=others,
    )


def find_own_urls(tree: Tree, applications: Sequence[Definition], own: OwnUrls) -> tuple[ProposedUrl, ...]:
    """Repository URLs of Applications that are not known to mean this repository and seem to, in order of URL.

    A URL seems to when every path that Applications name with it is a directory here, and one is not the root: two
    repositories seldom have the same directories.
    """
    named: dict[str, list[tuple[str, str]]] = {}
    for definition in applications:
        assert definition.application is not None
        for source in definition.application.sources:
            if source.repo_url and source.path and not source.chart and not own(source.repo_url):
                path = posixpath.normpath(source.path.strip("/") or ".")
                named.setdefault(urls.shown(source.repo_url), []).append((path, definition.file))
    found: list[ProposedUrl] = []
    for url, places in sorted(named.items()):
        known = OwnUrls([each.url for each in found])
        telling = [(path, file) for path, file in places if path != "."]
        if telling and all(_is_directory(tree, path) for path, _ in telling) and not known(url):
            path, file = telling[0]
            found.append(ProposedUrl(url=url, why=f"{file} takes {path} from there, which is a directory here"))
    return tuple(found)


def _is_directory(tree: Tree, path: str) -> bool:
    entry = tree.entry(path)
    return entry is not None and entry.is_directory


def _owners(own: Sequence[str]) -> tuple[str, ...]:
    """Whose repository it is, in lower case, by its URLs: ``acme`` of ``git@github.com:acme/shop.git``."""
    found: dict[str, None] = {}
    for text in own:
        parts = [part for part in re.split(r"[/:]", urls.normalise_git(text)) if part]
        if len(parts) >= 3:
            found[parts[-2]] = None
    return tuple(found)
