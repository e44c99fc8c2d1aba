"""An object that one commit moves from Application to Application is handed over as it is, or else is gone on purpose."""

from __future__ import annotations

import json
import secrets
from random import Random
from typing import Any

import pytest

from gitops_bot.agent.loop.definitions import Origin
from gitops_bot.agent.reconcile.sync import Deadlines
from tests.agent.live.harness import (
    Body,
    LiveAgent,
    Repository,
    conditions_of,
    config,
    deployment,
    is_settled,
    manifests,
    phase_of,
    resources_of,
    status_of,
    sync_of,
)

TRACKING = "argocd.argoproj.io/tracking-id"
FINALIZER = "resources-finalizer.argocd.argoproj.io"
MANUAL: dict[str, Any] = {"syncOptions": []}
BROKEN: dict[str, str | None] = {"new/kustomization.yaml": "resources: [missing.yaml]\n"}
WEB = manifests(deployment("web", 2))


class Moving:
    """Two Applications of one repository, of which the first has a Deployment."""

    def __init__(self, agent: LiveAgent, place: str) -> None:
        self.agent, self.place = agent, place
        unique = secrets.token_hex(3)
        self.old, self.new = f"old-{unique}", f"new-{unique}"
        self.repository: Repository = agent.repository(
            {
                "old/web.yaml": WEB,
                "old/stays.yaml": manifests(config("old-stays", it="1")),
                "new/stays.yaml": manifests(config("new-stays", it="1")),
            }
        )

    def follow(self, old: Body | None = None, new: Body | None = None) -> None:
        for name, path, how in ((self.old, "old", old or {}), (self.new, "new", new or {})):
            self.agent.follow(self.repository, self.place, name, source={"path": path}, **how)

    def begin(self, old: Body | None = None, new: Body | None = None) -> Body:
        """Both Applications synced; the Deployment, with its pods."""
        self.follow(old, new)
        head = self.repository.git("rev-parse", "HEAD")
        for name, how in ((self.old, old or {}), (self.new, new or {})):
            if how.get("policy") == MANUAL:
                self.agent.wait(name, lambda body: "sync" in status_of(body))
                self.agent.ask(name)
            self.agent.synced(name, head)
        self.before = self.agent.get("Deployment", self.place, "web")
        self.pods = self.pods_of()
        assert len(self.pods) == 2
        return self.before

    def pods_of(self) -> set[str]:
        return {each["metadata"]["uid"] for each in self.agent.all("Pod", self.place)}

    def move(self, web: str = WEB, **files: str | None) -> str:
        return self.repository.push({"old/web.yaml": None, "new/web.yaml": web, **files})

    def web(self) -> Body:
        return self.agent.get("Deployment", self.place, "web")

    @property
    def owner(self) -> str:
        return self.web()["metadata"]["annotations"][TRACKING].partition(":")[0]

    def deletions(self, since: int) -> list[str]:
        return [call.resource for call in self.agent.about(self.place, since) if call.verb == "delete"]


@pytest.fixture
def moving(own_agent: LiveAgent, place: str) -> Moving:
    return Moving(own_agent, place)


def assert_handed_over(moving: Moving) -> None:
    after = moving.web()
    assert after["metadata"]["uid"] == moving.before["metadata"]["uid"]
    assert moving.owner == moving.new
    assert moving.pods_of() == moving.pods


@pytest.mark.parametrize("first", ["old", "new", "both"])
def test_a_deployment_moves_in_one_commit_and_nothing_restarts(moving, first):
    agent = moving.agent
    agent.start()
    moving.begin()
    since = agent.now()
    commit = moving.move()
    for name in {"old": [moving.old], "new": [moving.new], "both": [moving.old, moving.new]}[first]:
        agent.refresh(name)
    new = agent.synced(moving.new, commit)
    old = agent.wait(moving.old, lambda body: is_settled(body, commit) and "Deployment/web" not in resources_of(body))
    assert_handed_over(moving)
    assert moving.deletions(since) == []
    assert resources_of(new)["Deployment/web"] == "Synced"
    assert status_of(new)["history"][-1]["revision"] == commit
    assert conditions_of(old) == conditions_of(new) == {}
    result = {each["name"]: each for each in status_of(new)["operationState"]["syncResult"]["resources"]}
    assert f"taken over from {moving.old}" in result["web"]["message"]


def test_what_moves_may_change_in_the_same_commit(moving):
    agent = moving.agent
    agent.start()
    moving.begin()
    changed = deployment("web", 2)
    changed["metadata"]["labels"] = {"team": "b"}
    commit = moving.move(manifests(changed), **{"old/stays.yaml": manifests(config("old-stays", it="2"))})
    agent.refresh(moving.old)
    agent.synced(moving.old, commit)
    agent.synced(moving.new, commit)
    assert_handed_over(moving)
    assert moving.web()["metadata"]["labels"]["team"] == "b"
    assert agent.get("ConfigMap", moving.place, "old-stays")["data"] == {"it": "2"}


def test_what_leaves_git_goes_all_the_same(moving):
    agent = moving.agent
    agent.start()
    moving.begin()
    commit = moving.move(**{"old/stays.yaml": None, "old/other.yaml": manifests(config("other", it="1"))})
    agent.refresh(moving.old)
    agent.synced(moving.old, commit)
    agent.until_gone("ConfigMap", moving.place, "old-stays")
    agent.synced(moving.new, commit)
    assert_handed_over(moving)


def test_an_old_application_that_prunes_nothing_loses_it_too(moving):
    agent = moving.agent
    agent.start()
    moving.begin(old={"policy": {"automated": {"prune": False, "selfHeal": True}}})
    commit = moving.move()
    agent.refresh(moving.new)
    agent.synced(moving.new, commit)
    agent.wait(moving.old, lambda body: is_settled(body, commit) and "Deployment/web" not in resources_of(body))
    assert_handed_over(moving)


def test_a_new_application_that_waits_for_somebody_gets_it_when_that_one_says_so(moving):
    agent = moving.agent
    agent.start()
    moving.begin(new={"policy": MANUAL})
    commit = moving.move()
    agent.refresh(moving.old)
    old = agent.wait(
        moving.old, lambda body: is_settled(body, commit) and "MovingResourceWarning" in conditions_of(body)
    )
    assert moving.new in conditions_of(old)["MovingResourceWarning"]
    assert resources_of(old)["Deployment/web"] == "OutOfSync"
    agent.wait(moving.new, lambda body: sync_of(body) == "OutOfSync" and not conditions_of(body))
    agent.until(lambda: agent.is_idle)
    assert moving.owner == moving.old
    # A sync of the old one deletes it no more than before.
    agent.ask(moving.old, prune=True)
    agent.wait(moving.old, lambda body: "operation" not in body and phase_of(body) == "Succeeded")
    assert moving.web()["metadata"]["uid"] == moving.before["metadata"]["uid"]
    agent.ask(moving.new)
    agent.synced(moving.new, commit)
    agent.wait(moving.old, lambda body: not conditions_of(body) and "Deployment/web" not in resources_of(body))
    assert_handed_over(moving)


def test_what_moved_and_leaves_git_before_it_was_taken_goes(moving):
    agent = moving.agent
    agent.start()
    moving.begin(new={"policy": MANUAL})
    moving.move()
    agent.refresh(moving.old)
    agent.wait(moving.old, lambda body: "MovingResourceWarning" in conditions_of(body))
    moving.repository.push({"new/web.yaml": None})
    agent.refresh(moving.new)
    agent.until_gone("Deployment", moving.place, "web")


def two_projects(agent: LiveAgent) -> None:
    spec = {
        "sourceRepos": ["*"],
        "destinations": [{"server": "*", "namespace": "*"}],
        "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
    }
    for name in ("one", "two"):
        body = {"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": name}, "spec": spec}
        agent.create(body, agent.namespace)


def test_what_waits_for_the_new_application_is_taken_by_no_other_project_meanwhile(moving):
    agent = moving.agent
    two_projects(agent)
    agent.start()
    moving.begin(old={"project": "one", "finalizer": True}, new={"project": "one", "policy": MANUAL})
    thief = f"thief-{secrets.token_hex(3)}"
    commit = moving.repository.push({"new/web.yaml": WEB})
    agent.refresh(moving.new)
    agent.wait(moving.new, lambda body: "SharedResourceWarning" in conditions_of(body))
    agent.follow(moving.repository, moving.place, thief, source={"path": "new"}, project="two")
    agent.wait(thief, lambda body: "SharedResourceWarning" in conditions_of(body))
    agent.delete("Application", agent.namespace, moving.old)
    agent.until_gone("ConfigMap", moving.place, "old-stays")
    agent.until(lambda: agent.is_idle)
    agent.refresh(thief)
    agent.wait(thief, lambda body: "argocd.argoproj.io/refresh" not in body["metadata"].get("annotations", {}))
    agent.until(lambda: agent.is_idle)
    assert moving.owner == moving.old
    agent.ask(moving.new)
    agent.synced(moving.new, commit)
    agent.until_gone("Application", agent.namespace, moving.old)
    assert_handed_over(moving)


def test_an_object_does_not_move_to_another_project(moving):
    """What it holds is not for others: it is deleted and made anew, as one of their own."""
    agent = moving.agent
    two_projects(agent)
    agent.start()
    moving.begin(old={"project": "one"}, new={"project": "two"})
    commit = moving.move()
    agent.refresh(moving.old)
    agent.synced(moving.old, commit)
    agent.refresh(moving.new)
    agent.synced(moving.new, commit)
    assert moving.owner == moving.new
    assert moving.web()["metadata"]["uid"] != moving.before["metadata"]["uid"]


def test_of_two_that_want_it_the_one_that_has_it_keeps_it(moving):
    agent = moving.agent
    agent.start()
    moving.begin()
    commit = moving.repository.push({"new/web.yaml": WEB})
    agent.refresh(moving.new)
    agent.refresh(moving.old)
    new = agent.wait(moving.new, lambda body: "SharedResourceWarning" in conditions_of(body))
    assert moving.old in conditions_of(new)["SharedResourceWarning"]
    agent.synced(moving.old, commit)
    assert moving.owner == moving.old
    # Until it does not want it any more.
    commit = moving.repository.push({"old/web.yaml": None})
    agent.refresh(moving.old)
    agent.wait(moving.old, lambda body: is_settled(body, commit) and "Deployment/web" not in resources_of(body))
    agent.synced(moving.new, commit)
    assert_handed_over(moving)


def test_who_cannot_be_rendered_is_waited_for_and_not_for_ever(moving):
    agent = moving.agent
    agent.start(deadlines=Deadlines(others=3.0))
    moving.begin()
    commit = moving.move(**BROKEN, **{"old/stays.yaml": manifests(config("old-stays", it="2"))})
    agent.refresh(moving.old)
    agent.wait(moving.new, lambda body: "ComparisonError" in conditions_of(body))
    agent.until_gone("Deployment", moving.place, "web")
    agent.synced(moving.old, commit)
    # The next one need not wait for it any more: it says nothing new.
    agent.until(lambda: agent.is_idle)
    commit = moving.repository.push({"old/stays.yaml": None, "old/more.yaml": manifests(config("more", it="1"))})
    agent.refresh(moving.old)
    agent.synced(moving.old, commit)
    agent.until_gone("ConfigMap", moving.place, "old-stays")


def test_a_commit_that_repairs_the_new_application_and_moves_to_it_is_waited_for(moving):
    agent = moving.agent
    agent.start(deadlines=Deadlines(others=1.0))
    moving.begin()
    broken = moving.repository.push(BROKEN)
    agent.refresh(moving.new)
    agent.wait(moving.new, lambda body: "ComparisonError" in conditions_of(body))
    # It is not waited for any more: what leaves Git goes.
    agent.refresh(moving.old)
    agent.synced(moving.old, broken)
    agent.until(lambda: agent.is_idle)
    commit = moving.repository.push({"old/stays.yaml": None, "old/more.yaml": manifests(config("more", it="1"))})
    agent.refresh(moving.old)
    agent.synced(moving.old, commit)
    commit = moving.move(**dict.fromkeys(BROKEN))
    agent.refresh(moving.old)
    agent.synced(moving.new, commit)
    agent.synced(moving.old, commit)
    assert_handed_over(moving)


def test_what_could_be_rendered_before_keeps_what_it_was_to_get(moving):
    """It wanted the object when it could be read last; as long as nobody knows better, that is not deleted."""
    agent = moving.agent
    agent.start(deadlines=Deadlines(others=1.0))
    moving.begin(new={"policy": MANUAL})
    moving.move()
    agent.refresh(moving.old)
    agent.wait(moving.old, lambda body: "MovingResourceWarning" in conditions_of(body))
    commit = moving.repository.push(BROKEN)
    agent.refresh(moving.new)
    agent.wait(moving.new, lambda body: "ComparisonError" in conditions_of(body))
    agent.refresh(moving.old)
    agent.wait(moving.old, lambda body: is_settled(body, commit))
    agent.until(lambda: agent.is_idle)
    assert moving.web()["metadata"]["uid"] == moving.before["metadata"]["uid"]


def test_an_agent_that_begins_after_the_commit_hands_it_over_too(moving):
    agent = moving.agent
    agent.start()
    moving.begin(new={"policy": MANUAL})
    agent.stop()
    commit = moving.move()
    agent.change(moving.new, {"spec": {"syncPolicy": {"automated": {"prune": True, "selfHeal": False}}}})
    agent.start()
    agent.synced(moving.new, commit)
    agent.wait(moving.old, lambda body: is_settled(body, commit) and "Deployment/web" not in resources_of(body))
    assert_handed_over(moving)


def test_an_agent_that_begins_halfway_goes_on(moving):
    agent = moving.agent
    agent.start()
    moving.begin(new={"policy": MANUAL})
    commit = moving.move()
    agent.refresh(moving.old)
    agent.wait(moving.old, lambda body: "MovingResourceWarning" in conditions_of(body))
    agent.stop()
    since = agent.now()
    agent.start()
    agent.until(lambda: agent.is_idle)
    assert moving.owner == moving.old
    assert moving.deletions(since) == []
    agent.ask(moving.new)
    agent.synced(moving.new, commit)
    assert_handed_over(moving)


def test_two_applications_exchange_what_they_have(moving):
    agent = moving.agent
    agent.start()
    moving.begin()
    kept = agent.get("ConfigMap", moving.place, "new-stays")["metadata"]["uid"]
    commit = moving.move(**{"new/stays.yaml": None, "old/new-stays.yaml": manifests(config("new-stays", it="2"))})
    agent.refresh(moving.old)
    agent.synced(moving.old, commit)
    agent.synced(moving.new, commit)
    assert_handed_over(moving)
    found = agent.get("ConfigMap", moving.place, "new-stays")
    assert (found["metadata"]["uid"], found["data"]) == (kept, {"it": "2"})
    assert found["metadata"]["annotations"][TRACKING].startswith(f"{moving.old}:")


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_moves_where_and_however_often_is_made_once(own_agent, place, seed):
    agent, random = own_agent, Random(seed)
    names = [f"{letter}-{place}" for letter in "abcd"]
    objects = [f"cm-{number}" for number in range(12)]

    def files(at: dict[str, str], turn: int) -> dict[str, str]:
        return {f"{at[each]}/{each}.yaml": manifests(config(each, it=str(turn))) for each in objects}

    at = {each: random.choice(names) for each in objects}
    own = {f"{name}/own.yaml": manifests(config(f"own-{name}", it="1")) for name in names}
    repository = agent.repository(own | files(at, 0))
    for name in names:
        agent.follow(repository, place, name, source={"path": name})
    agent.start(poll=0.5)
    for name in names:
        agent.synced(name, repository.git("rev-parse", "HEAD"))
    before = {each: agent.get("ConfigMap", place, each)["metadata"]["uid"] for each in objects}
    since = agent.now()
    for turn in range(1, 7):
        left = dict.fromkeys(files(at, turn))
        at |= {each: random.choice(names) for each in random.sample(objects, 5)}
        commit = repository.push(left | files(at, turn))
        if random.random() < 0.5:
            agent.synced(random.choice(names), commit)
    for name in names:
        agent.synced(name, commit)
    found = {each: agent.get("ConfigMap", place, each) for each in objects}
    assert {each: body["metadata"]["uid"] for each, body in found.items()} == before
    assert {each: body["metadata"]["annotations"][TRACKING].partition(":")[0] for each, body in found.items()} == at
    assert {body["data"]["it"] for body in found.values()} == {"6"}
    assert [call for call in agent.about(place, since) if call.verb == "delete"] == []


# -- Applications that get another name -------------------------------------------------------------------------------


def application(name: str, url: str, place: str, path: str, **policy: Any) -> Body:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd", "finalizers": [FINALIZER]},
        "spec": {
            "project": "default",
            "source": {"repoURL": url, "targetRevision": "main", "path": path},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": place},
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True, **policy}},
        },
    }


class Renamed:
    """An agent that follows the definitions of a repository, and what becomes of one Deployment."""

    def __init__(self, agent: LiveAgent, place: str, folder: str) -> None:
        self.agent, self.place, self.folder = agent, place, folder
        name = f"renamed-{place}"
        self.url = f"{agent.url}/{name}"
        self.repository = agent.repository({"web/web.yaml": WEB}, name)

    def app(self, name: str, path: str = "web") -> str:
        return json.dumps(application(name, self.url, self.place, path))

    def push(self, name: str, path: str = "web", **files: str | None) -> str:
        """An Application of this name, and files of the same folder by name without ending."""
        changed = {name: self.app(name, path), **files}
        return self.repository.push({f"{self.folder}/{each}.yaml": text for each, text in changed.items()})

    def start(self) -> None:
        self.agent.start(origin=Origin(self.url, "apps", "main"), poll=1.0)

    def begin(self, **files: str) -> None:
        self.repository.commit(files)
        commit = self.push("before")
        self.start()
        self.agent.synced("before", commit)
        self.web = self.agent.get("Deployment", self.place, "web")

    def rename(self, path: str = "web", **files: str | None) -> None:
        self.repository.commit(files)
        commit = self.push("after", path, before=None)
        self.agent.synced("after", commit)
        self.agent.until_gone("Application", self.agent.namespace, "before")
        now = self.agent.get("Deployment", self.place, "web")
        assert now["metadata"]["uid"] == self.web["metadata"]["uid"]
        assert now["metadata"]["annotations"][TRACKING].startswith("after:")


def test_an_application_that_git_gives_another_name_keeps_its_objects(own_agent, place):
    renamed = Renamed(own_agent, place, "apps")
    renamed.begin()
    renamed.rename()


def test_data_of_an_application_that_git_gives_another_name_is_asked_for_and_handed_over(own_agent, place):
    claim: Body = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    renamed = Renamed(own_agent, place, "apps")
    renamed.repository.commit({"web/data.yaml": manifests(claim)})
    renamed.push("before")
    renamed.start()
    own_agent.wait("before", lambda body: sync_of(body) == "Synced" and phase_of(body) == "Succeeded")
    uid = own_agent.get("PersistentVolumeClaim", place, "data")["metadata"]["uid"]
    renamed.push("after", before=None)
    own_agent.until(lambda: "PersistentVolumeClaim" in own_agent.agent.controller.problem, "it is held")
    own_agent.wait("after", lambda body: "SharedResourceWarning" in conditions_of(body))
    own_agent.approve("before")
    own_agent.until_gone("Application", own_agent.namespace, "before")
    own_agent.wait("after", lambda body: sync_of(body) == "Synced" and not conditions_of(body))
    found = own_agent.get("PersistentVolumeClaim", place, "data")["metadata"]
    assert (found["uid"], "deletionTimestamp" in found) == (uid, False)
    assert found["annotations"][TRACKING].startswith("after:")


def test_a_child_that_git_gives_another_name_keeps_its_objects(own_agent, place):
    renamed = Renamed(own_agent, place, "children")
    renamed.begin(**{"apps/parent.yaml": renamed.app("parent", "children")})
    renamed.rename()


def test_a_parent_that_git_gives_another_name_keeps_its_children(own_agent, place):
    renamed = Renamed(own_agent, place, "children")
    renamed.begin(**{"apps/parent.yaml": renamed.app("parent", "children")})
    uid = own_agent.app("before")["metadata"]["uid"]
    commit = renamed.repository.push({"apps/parent.yaml": renamed.app("elder", "children")})
    own_agent.synced("elder", commit)
    own_agent.until_gone("Application", own_agent.namespace, "parent")
    own_agent.synced("before", commit)
    assert own_agent.app("before")["metadata"]["uid"] == uid
    assert own_agent.get("Deployment", place, "web")["metadata"]["uid"] == renamed.web["metadata"]["uid"]


def test_what_goes_with_an_application_goes_and_what_moved_stays(own_agent, place):
    renamed = Renamed(own_agent, place, "apps")
    renamed.begin(**{"web/other.yaml": manifests(config("other", it="1"))})
    files = {"web/other.yaml": None, "web/web.yaml": None, "moved/web.yaml": WEB}
    renamed.rename("moved", **files)
    own_agent.until_gone("ConfigMap", place, "other")
