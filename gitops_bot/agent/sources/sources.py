"""What Git wants of an Application: which commits its sources mean, and the manifests that they render to."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from gitops_bot.agent.application.operation import identity
from gitops_bot.agent.application.record import AppObject, Record, Rendered, Unrendered, as_object
from gitops_bot.agent.sources.desired import pack
from gitops_bot.agent.sources.renderers import Renderers
from gitops_bot.agent.sources.rendering import Render
from gitops_bot.agent.sources.revisions import Meaning, Revisions
from gitops_bot.agent.sources.surroundings import Surroundings
from gitops_bot.errors import BotError, FetchError
from gitops_bot.model import url as urls

COMPARISON_ERROR = "ComparisonError"
REWRITTEN = "RevisionRewrittenWarning"
_FIRST_AGAIN, _LAST_AGAIN = 30.0, 1800.0
"""Seconds before what could not be rendered is rendered again; doubled for each further time, up to the last."""
_REMEMBERED = 1000


class _Move(NamedTuple):
    """A branch that means another commit than before."""

    repository: str
    project: str
    old: str
    new: str


class Sources:
    """Asked for one Application after another; may be used by many threads for different ones."""

    def __init__(self, revisions: Revisions, renderers: Renderers, around: Surroundings) -> None:
        """Take who knows what revisions mean, who renders, and what is the same for all."""
        self._revisions = revisions
        self._renderers = renderers
        self._around = around
        self._lock = threading.Lock()
        self._followed: dict[_Move, bool | None] = {}

    def meanings(self, app: AppObject, since: float) -> tuple[Meaning, ...]:
        """What the revisions of its sources mean, an empty commit for charts. Raises FetchError."""
        before = _before(app)
        return tuple(
            Meaning("")
            if source.chart
            else self._revisions.resolve(
                source.repo_url,
                source.target_revision,
                since=since,
                project=app.project,
                last=last,
            )
            for source, last in zip(app.application.sources, before, strict=True)
        )

    def commit(self, repository: str, revision: str, project: str, since: float) -> str | None:
        """The commit that a revision means, as far as it is known to whoever asked since then; None: nobody knows."""
        try:
            return self._revisions.resolve(repository, revision, since=since, project=project).commit
        except FetchError:
            return None

    def told(self, app: AppObject, meanings: Sequence[Meaning]) -> list[tuple[str, str]]:
        """What people have to know about the commits: that a host does not answer, that a branch was rewritten."""
        found = [(COMPARISON_ERROR, meaning.stale) for meaning in meanings if meaning.stale]
        kept = {each.message for each in app.status.conditions if each.type == REWRITTEN}
        for source, meaning, old in zip(app.application.sources, meanings, _before(app), strict=True):
            if not old or not (meaning.reference == "HEAD" or meaning.reference.startswith("refs/heads/")):
                continue
            if old == meaning.commit:
                found += [(REWRITTEN, message) for message in kept if f" {meaning.commit[:8]} " in message]
                continue
            move = _Move(source.repo_url, app.project, old, meaning.commit)
            if self._follows(move) is False:
                branch = meaning.reference.removeprefix("refs/heads/")
                found.append((REWRITTEN, (
                    f"{branch} of {urls.shown(source.repo_url)} was rewritten: {meaning.commit[:8]} does not follow "
                    f"{old[:8]}, which was there before; it counts as any other commit"
                )))  # fmt: skip
        return found

    def rendered(
        self,
        app: AppObject,
        commits: tuple[str, ...],
        record: Record,
        permitted: tuple[str, ...],
        *,
        hard: bool,
    ) -> Rendered:
        """The manifests, rendered by the process that has no rights; those of before, where nothing has changed.

        ``permitted`` are the project's ``sourceRepos``. Raises BotError; what could not be rendered is not tried again
        before ``record.unrendered`` says so, unless ``hard``.
        """
        terms = self._around.settings()
        key = f"{identity(commits, app.sources)} {hash(self._around.capabilities())} {terms.render} {terms.fetch}"
        known, failed = record.rendered, record.unrendered
        if known is not None and known.key == key and not hard:
            return known
        same = failed is not None and failed.key == key
        if failed is not None and same and not hard and self._around.now() < failed.again:
            raise BotError(failed.error)
        try:
            record.rendered = self._render(app, commits, key, permitted, anew=hard)
        except BotError as error:
            times = failed.times + 1 if failed is not None and same else 0
            wait = min(_LAST_AGAIN, _FIRST_AGAIN * 2.0 ** min(times, 20))
            again = self._around.now() + timedelta(seconds=wait)
            record.unrendered = Unrendered(key, error.told, again, times)
            raise
        record.unrendered = None
        return record.rendered

    def earlier(self, app: AppObject, permitted: tuple[str, ...]) -> Rendered | None:
        """The manifests of the last full sync, rendered anew from the same commits; None where there was none.

        Raises BotError, also where they cannot be rendered any more.
        """
        if not app.status.history:
            return None
        newest = app.status.history[-1]
        spec = {name: value for name, value in app.body["spec"].items() if name not in ("source", "sources")}
        spec |= {"sources": list(newest.sources)} if newest.sources else {"source": newest.source}
        then = as_object({**app.body, "spec": spec})
        commits = newest.revisions or (newest.revision,)
        return self._render(then, commits, identity(commits, then.sources), permitted)

    def _render(
        self, app: AppObject, commits: tuple[str, ...], key: str, permitted: tuple[str, ...], *, anew: bool = False
    ) -> Rendered:
        terms = self._around.settings()
        repositories = [source.repo_url for source in app.application.sources]
        answer = self._renderers.render(
            Render(
                application=_plain(app.body),
                commits=commits,
                capabilities=self._around.capabilities(),
                logins=self._around.logins(app.project, repositories),
                authorities=dict(self._around.authorities()),
                settings=terms.render,
                allow=terms.fetch.allow,
                permitted=permitted,
                anew=anew,
            )
        )
        if answer.error:
            raise BotError(answer.error)
        try:
            return Rendered(key, answer.plan, answer.types, pack(answer.manifests.encode(), answer.generated))
        except ValueError as error:
            raise BotError(f"the manifests cannot be read: {error}") from error

    def _follows(self, move: _Move) -> bool | None:
        """Asked once for each pair of commits, however many Applications follow the branch."""
        with self._lock:
            if move in self._followed:
                return self._followed[move]
        answer = self._around.follows(*move)
        with self._lock:
            if len(self._followed) >= _REMEMBERED:
                self._followed.clear()
            self._followed[move] = answer
        return answer


def _before(app: AppObject) -> tuple[str, ...]:
    """The commit of each source as it was last compared or else synced, ``""`` where it was another source then."""
    none = ("",) * len(app.application.sources)
    sync, history = app.status.sync, app.status.history
    if sync is not None and sync.compared_to is not None and (sync.revision or sync.revisions):
        then = sync.compared_to.sources or ((sync.compared_to.source,) if sync.compared_to.source is not None else ())
        found = sync.revisions or (sync.revision,)
    elif history:
        newest = history[-1]
        then = newest.sources or ((newest.source,) if newest.source is not None else ())
        found = newest.revisions or (newest.revision,)
    else:
        return none
    return found if tuple(then) == app.sources and len(found) == len(none) else none


def _plain(body: Mapping[str, Any]) -> dict[str, Any]:
    """The Application without what only the cluster has."""
    metadata = {
        name: body["metadata"][name] for name in ("name", "namespace", "annotations") if name in body["metadata"]
    }
    return {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": metadata, "spec": body["spec"]}
