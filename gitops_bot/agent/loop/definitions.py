"""Applications that are defined in Git become objects of the agent's namespace, and go when Git has them no more."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from gitops_bot.agent.application.applications import APPLICATION, PROJECT, Applications, key_of
from gitops_bot.agent.application.record import API, DEFINED, AppObject, without_state
from gitops_bot.agent.application.state import told
from gitops_bot.agent.loop.kept import Kept, differences, is_a_child, is_left_alone
from gitops_bot.agent.loop.removal import removals
from gitops_bot.agent.loop.terms import Terms
from gitops_bot.agent.ownership.adoption import take_over
from gitops_bot.agent.ownership.difference import at_version
from gitops_bot.agent.reports.telling import RESTORED, Tell
from gitops_bot.agent.rules.guards import APPROVED, is_approved
from gitops_bot.agent.sources.keys import Keys
from gitops_bot.agent.sources.renderers import Renderers
from gitops_bot.agent.sources.rendering import Define, Defined, Definition
from gitops_bot.agent.sources.revisions import Revisions
from gitops_bot.agent.values import MANAGER, Live, live_of
from gitops_bot.doors.cluster.errors import Refused
from gitops_bot.doors.cluster.objects import Body, Objects
from gitops_bot.doors.cluster.watch import Event, Snapshot
from gitops_bot.errors import ClusterError, FetchError
from gitops_bot.model import url as urls
from gitops_bot.model.resource import ResourceKey

FROM = "gitops-bot/defined-in"
"""Annotation with the file they are from."""
_KEPT = ("name", "labels", "annotations", "finalizers")
_log = logging.getLogger(__name__)


class Origin(NamedTuple):
    """Where Applications are defined."""

    url: str
    path: str = ""
    revision: str = "HEAD"


class Reading(NamedTuple):
    """How Git is read."""

    revisions: Revisions
    renderers: Renderers
    keys: Keys


class Definer:
    """Keeps the objects equal to what a repository defines."""

    def __init__(
        self,
        origin: Origin,
        objects: Objects,
        applications: Applications,
        reading: Reading,
        terms: Terms,
        now: Callable[[], datetime],
        tell: Tell,
    ) -> None:
        """Take where they are defined, the doors, where settings are kept, the clock, and who is told."""
        self._origin = origin
        self._objects = objects
        self._applications = applications
        self._revisions, self._renderers, self._keys = reading
        self._terms = terms
        self._now = now
        self._event = tell
        self._kept = Kept(now, self._people)
        self._done = ""
        """The commit whose definitions are in the cluster."""
        self._looked = ""
        """The commit that was looked at last, whatever came of it."""
        self._answer = Defined()
        """What it was found to define."""
        self.problem = ""
        """Why the last look at Git came to nothing, ``""`` when it did not."""
        self.defined: frozenset[str] = frozenset()
        """Names of the Applications that Git defines, as it was last looked at."""

    def begin(self) -> None:
        """Forget what was applied, because this agent begins to lead: another one may have applied something newer."""
        self._kept.keep_only(())
        self._done = self._looked = ""

    def is_current(self, since: float) -> bool:
        """Whether what Git defines was looked at, its repository asked since then; True where nobody knows more."""
        try:
            meaning = self._revisions.resolve(self._origin.url, self._origin.revision, since=since, last=self._looked)
        except FetchError:
            return True
        return meaning.commit == self._looked

    def work(self, since: float) -> None:
        """Bring the objects to what Git defines, where it says something else than the last time.

        Raises ClusterError; what is wrong with Git is told as ``problem`` and changes nothing.
        """
        origin = self._origin
        try:
            meaning = self._revisions.resolve(origin.url, origin.revision, since=since, last=self._done)
        except FetchError as error:
            self._tell(error.told)
            return
        commit = meaning.commit
        # Where one is gone, it is made anew.
        done = commit == self._done and self.defined <= {*self._applications.names, *self._applications.unreadable}
        if done and not self._answer.elsewhere:
            self._tell(meaning.stale)
            return
        logins, trusted = self._keys.sent("", [origin.url]), dict(self._keys.authorities())
        answer = self._renderers.define(
            Define(url=origin.url, commit=commit, path=origin.path, logins=logins, authorities=trusted)
        )
        if answer.error:
            self._tell(answer.error)
            self._looked = commit
            return
        if done and answer == self._answer:
            self._tell(meaning.stale)
            return
        if answer.settings is not None:
            self._terms.put(answer.settings)
        wanted, problems = self._wanted(answer.definitions)
        self._kept.keep_only(wanted)
        refused = self._applied(wanted)
        problems = [*answer.problems, *problems, *refused.values()]
        self.defined = frozenset(key.name for key in wanted if key.kind == "Application" and key not in refused)
        if not self.defined:
            problems.append(f"{urls.shown(origin.url)} defines no Application at {commit[:8]}: none is removed")
        if not problems:
            problems += self._remove(frozenset(wanted))
        self._tell("; ".join(problems))
        self._done, self._answer = "" if problems else commit, answer
        self._looked = commit

    def _wanted(self, definitions: Iterable[Definition]) -> tuple[dict[ResourceKey, Definition], list[str]]:
        """The definitions by what they become, and those of which there are two."""
        wanted: dict[ResourceKey, Definition] = {}
        problems = []
        for each in definitions:
            key = _key(each, self._applications.namespace)
            if key in wanted:
                problems.append(f"{key} is defined in {wanted[key].file} and in {each.file}; the last one counts")
            wanted[key] = each
        return wanted, problems

    def _applied(self, wanted: Mapping[ResourceKey, Definition]) -> dict[ResourceKey, str]:
        """Apply projects, then Applications; what the API server does not take. Raises ClusterError for the rest."""
        problems = {}
        for key, definition in sorted(wanted.items(), key=lambda pair: pair[0].kind != "AppProject"):
            there = self._there(key)
            if there is not None and is_a_child(there):
                self._kept.forget(key)
                continue
            try:
                self._bring(key, _body(definition, key), there)
            except Refused as error:
                if error.retryable:
                    raise
                problems[key] = f"{definition.file}: {error.message}"
        return problems

    def _there(self, key: ResourceKey) -> Live | None:
        """The metadata of an Application, as the watch tells it; None where it has none."""
        app = self._applications.find(key.name) if key.kind == "Application" else None
        return app.live if app is not None else None

    def _bring(self, key: ResourceKey, body: Body, live: Live | None) -> None:
        """Apply a definition, with what others have added to it taken out. Raises ClusterError."""
        if live is not None and is_left_alone(live):
            self._kept.put(key, body, None)
            return
        take = take_over(live, body, people=self._people()) if live is not None else None
        sent = body
        if take is not None:
            sent = at_version(body, self._objects.patch(key, [*take.patch])["metadata"]["resourceVersion"])
        answer = self._objects.apply(sent, key, MANAGER)
        if key.kind == "Application":
            self._applications.wrote(answer.body)  # whoever asks for all of them need not wait for the watch
        self._kept.put(key, body, live_of(answer.body, key))

    # -- what people change -------------------------------------------------------------------------------------------

    def heard(self, told: Snapshot | Event) -> bool:
        """Take what a watch tells of Applications and projects; whether ``mend`` has something to do."""
        return self._kept.told(told)

    @property
    def is_settled(self) -> bool:
        """Whether every definition is in the cluster as Git has it, or is left alone."""
        return self._kept.is_complete

    def mend(self) -> float | None:
        """Put back what somebody changed; after how many seconds again, None where nothing is left."""
        found, _ = self._kept.due()
        for key, body, live in found:
            self._kept.count(key)
            what = ", ".join(differences(live, body, self._people())) if live is not None else "it is gone"
            message = f"{key} is not what Git says ({what}): it is put back"
            app = self._applications.find(key.name) if key.kind == "Application" else None
            if app is not None:
                self._event(app, RESTORED, message)
            else:
                _log.warning("%s", told(message))
            try:
                self._bring(key, body, live)
            except ClusterError as error:
                _log.warning("definitions: %s", error.message)
        return self._kept.due()[1]

    def _people(self) -> Sequence[str]:
        return self._terms().agent.people_managers

    def _remove(self, wanted: frozenset[ResourceKey]) -> list[str]:
        """Delete what this agent made and Git does not define any more; what is held instead. Raises ClusterError."""
        made = [app for app in self._applications.all if app.labels.get(DEFINED) == "true" and not app.deleting]
        gone = [app for app in made if key_of(*app.key) not in wanted]
        found = removals(gone, len(made), self._terms().agent.prune_guard)
        now = self._now()
        held = {each.app.uid for each in found if each.reason}
        for app in made:
            self._applications.note_held(app, now if app.uid in held else None)
        problems = []
        for app, reason in ((each.app, each.reason) for each in found):
            if reason and not is_approved(app.annotations, app.held_since or now, now):
                problems.append(
                    f"Git does not define {app.key.name} any more, but {reason}; if that is meant, annotate the "
                    f"Application in the cluster with {APPROVED}: the time of now, as RFC 3339"
                )
                continue
            _log.info("Git does not define %s any more: it is removed", app.key.name)
            self._objects.delete(key_of(*app.key), app.uid, "Background")
            self._note_going(app)
        return problems

    def _note_going(self, app: AppObject) -> None:
        """Know that one goes, before the watch tells it. Raises ClusterError."""
        body = self._objects.find(key_of(*app.key), API)
        if body is not None:
            self._applications.wrote(body)

    def _tell(self, problem: str) -> None:
        if problem and problem != self.problem:
            _log.warning("definitions: %s", problem)
        self.problem = problem


def _key(definition: Definition, namespace: str) -> ResourceKey:
    kind = APPLICATION if definition.kind == "Application" else PROJECT
    return ResourceKey(*kind, namespace, str(definition.document["metadata"]["name"]))


def _body(definition: Definition, key: ResourceKey) -> Body:
    """The object in the agent's namespace; the namespace in Git is only a label (ours)."""
    given: dict[str, Any] = definition.document["metadata"]
    metadata = {name: given[name] for name in _KEPT if given.get(name)}
    metadata["namespace"] = key.namespace
    metadata["labels"] = {**(metadata.get("labels") or {}), DEFINED: "true"}
    metadata["annotations"] = {**without_state(metadata.get("annotations") or {}), FROM: definition.file}
    return {"apiVersion": API, "kind": key.kind, "metadata": metadata, "spec": definition.document.get("spec") or {}}
