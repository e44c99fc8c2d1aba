"""Whatever fails, the cluster ends as Git says: nothing lost, nothing done twice, nothing of anybody else touched.

More seeds than these few: ``FAULT_SEEDS=0-40 pytest tests/agent/live/test_faults.py``.
"""

from __future__ import annotations

import os
import random
import secrets
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gitops_bot.agent.application.record import REFRESH
from gitops_bot.agent.loop.definitions import Origin
from gitops_bot.agent.loop.outcome import unsynced
from gitops_bot.agent.ownership.identity import PART_OF
from gitops_bot.doors.cluster.requests import DEFAULT_PATIENCE
from tests.agent.live.conftest import GitHost
from tests.agent.live.faults import (
    BUSY,
    BUSY_WITHOUT_A_WORD,
    CONFLICT,
    LOST_AFTER,
    LOST_BEFORE,
    NOT_FOUND,
    SERVER_ERROR,
    Fault,
    Proxy,
    fault_proxy,
)
from tests.agent.live.harness import (
    Body,
    LiveAgent,
    Repository,
    Watched,
    conditions_of,
    config,
    deployment,
    is_settled,
    live_agent,
    manifests,
    phase_of,
    resources_of,
    results_of,
    service,
    status_of,
    sync_of,
)
from tests.agent.live.program import Programs, definition, programs
from tests.controlplane.install import install
from tests.controlplane.plane import ControlPlane, control_plane, without_api_server
from tests.controlplane.plugin import PROGRAMS
from tests.controlplane.programs import MISSING

QUICK = {"automated": {"prune": True, "selfHeal": True}, "retry": {"limit": 40, "backoff": {"duration": "200ms", "factor": 1}}}  # fmt: skip


def seeds(few: int) -> list[int]:
    first, _, last = os.environ.get("FAULT_SEEDS", f"0-{few}").partition("-")
    return list(range(int(first), int(last)))


@pytest.fixture
def proxy(plane: ControlPlane, own_agent: LiveAgent, tmp_path: Path) -> Iterator[Proxy]:
    """A proxy that the agent goes through."""
    with fault_proxy(plane) as one:
        own_agent.kubeconfig = one.kubeconfig(tmp_path / "through-the-proxy", own_agent.kubeconfig)
        yield one
        one.never()
        own_agent.stop()


class Story:
    """An Application of some ConfigMaps and a Deployment, that changes from commit to commit, and what became of it."""

    def __init__(self, agent: LiveAgent, place: str) -> None:
        self.agent, self.place = agent, place
        self.name = f"app-{secrets.token_hex(3)}"
        self.number = 0
        self.wanted: dict[str, str] = {"a": "0", "b": "0"}
        self.repository: Repository = agent.repository({**self.files(), "k8s/web.yaml": manifests(deployment("web"))})
        self.commits = [self.repository.git("rev-parse", "HEAD")]
        self.seen = Watched(agent.plane, agent.path("ConfigMap", place))
        self.stranger = agent.create(config("strangers", it="mine"), place)

    def files(self) -> dict[str, str]:
        return {f"k8s/{name}.yaml": manifests(config(name, it=number)) for name, number in self.wanted.items()}

    def follow(self, *, finalizer: bool = False) -> None:
        self.agent.follow(
            self.repository, self.place, self.name, source={"path": "k8s"}, policy=QUICK, finalizer=finalizer
        )

    def define(self) -> None:
        """Have Git define it."""
        made = definition(self.repository, self.place, self.name, "k8s", retry=QUICK["retry"])
        self.commits.append(self.repository.push(made))

    def change(self, dice: random.Random) -> None:
        """A commit that changes some objects, adds one, or takes one away."""
        self.number += 1
        number = str(self.number)
        before = set(self.wanted)
        for name in dice.sample(sorted(before), k=min(2, len(before))):
            self.wanted[name] = number
        if dice.random() < 0.5:
            self.wanted[f"c{number}"] = number
        if len(before) > 2 and dice.random() < 0.5:
            del self.wanted[dice.choice(sorted(before))]
        gone = {f"k8s/{name}.yaml": None for name in before - set(self.wanted)}
        self.commits.append(self.repository.push({**self.files(), **gone}))

    def live(self) -> dict[str, str]:
        return {
            each["metadata"]["name"]: each["data"]["it"]
            for each in self.agent.all("ConfigMap", self.place)
            if each["metadata"]["name"] not in ("kube-root-ca.crt", "strangers")
        }

    def ends_well(self) -> Body:
        """Wait until everything is as Git says, and prove that nothing else has happened on the way."""
        self.agent.refresh(self.name)
        body = self.agent.synced(self.name, self.commits[-1])
        # A change by hand may be heard of a moment after the look that the refresh asked for.
        self.agent.until(lambda: self.live() == self.wanted, "the cluster has what Git says")
        history = status_of(body)["history"]
        revisions = [each["revision"] for each in history]
        places = [self.commits.index(each) for each in revisions]
        assert places == sorted(set(places)), f"each commit once, in Git's order: {places}"
        assert revisions[-1] == self.commits[-1] or self.is_nothing_new(revisions[-1])
        ids = [each["id"] for each in history]
        assert ids == list(range(ids[0], ids[0] + len(ids)))
        for name in self.seen_names():
            told = [int(each) for each in self.values(name)]
            assert told == sorted(told), f"{name} went back: {told}"
        now = self.agent.get("ConfigMap", self.place, "strangers")
        assert now["metadata"]["resourceVersion"] == self.stranger["metadata"]["resourceVersion"]
        return body

    def is_nothing_new(self, revision: str) -> bool:
        """Whether the manifests are those of an earlier commit, so that there was nothing to sync."""
        return not self.repository.git("diff", "--name-only", revision, "HEAD", "--", "k8s")

    def seen_names(self) -> list[str]:
        return [name for name in self.seen._states if name not in ("kube-root-ca.crt", "strangers")]

    def values(self, name: str) -> list[str]:
        """The values that an object had since it was made last."""
        found: list[str] = []
        for state in self.seen.states(name):
            if state is None:
                found = []
            elif not found or found[-1] != state["data"]["it"]:
                found.append(state["data"]["it"])
        return found

    def close(self) -> None:
        self.seen.close()


@pytest.fixture
def story(own_agent: LiveAgent, place: str, proxy: Proxy) -> Iterator[Story]:
    made = Story(own_agent, place)
    yield made
    made.close()


# -- the API server ---------------------------------------------------------------------------------------------------


def test_an_api_server_that_stops_and_comes_back(story, proxy, own_agent):
    own_agent.start(poll=1.0)
    story.follow()
    story.ends_well()
    proxy.stop()
    story.change(random.Random(1))
    own_agent.patch("ConfigMap", story.place, "a", {"data": {"it": "99"}})
    own_agent.delete("ConfigMap", story.place, "b")
    proxy.back()
    own_agent.refresh(story.name)
    own_agent.synced(story.name, story.commits[-1])
    assert story.live() == story.wanted


@pytest.fixture
def agent_of_its_own_plane(git_host: GitHost, helm: str, tmp_path: Path) -> Iterator[LiveAgent]:
    """An agent in a control plane that nobody else uses, so that it may be stopped."""
    if PROGRAMS is None:
        pytest.skip(MISSING)
    (tmp_path / "plane").mkdir()
    with control_plane(PROGRAMS, tmp_path / "plane") as plane:
        install(plane, tmp_path / "installed.kubeconfig")
        # An API server that has just started denies everything until it knows who has which rights.
        with live_agent(plane, tmp_path, git_host.served, git_host.url, may_be_denied=True) as agent:
            yield agent


@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_an_api_server_that_is_killed_and_started_again(agent_of_its_own_plane):
    """The standard library leaves a socket to be collected that is reset between its connection and its handshake."""
    agent = agent_of_its_own_plane
    agent.plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": "shop"}})
    story = Story(agent, "shop")
    agent.start(poll=1.0)
    story.follow()
    story.ends_well()
    dice = random.Random(1)
    for _ in range(2):
        agent.delete("ConfigMap", story.place, "b")
        with without_api_server(agent.plane):
            story.change(dice)
        agent.delete("ConfigMap", story.place, "a")
        story.ends_well()
    story.close()


@pytest.mark.parametrize("fault", [SERVER_ERROR, CONFLICT, BUSY, BUSY_WITHOUT_A_WORD, LOST_BEFORE, LOST_AFTER], ids=str)
def test_a_write_that_fails_a_few_times(story, proxy, own_agent, fault):
    own_agent.start(poll=1.0)
    story.follow()
    story.ends_well()
    left = 6
    lock = threading.Lock()

    def choose(verb: str, path: str) -> Fault | None:
        nonlocal left
        with lock:
            if verb == "GET" or "leases" in path or "events" in path or not left:
                return None
            left -= 1
            return fault

    proxy.choose = choose
    story.change(random.Random(4))
    story.ends_well()
    assert left == 0


@pytest.mark.parametrize("fault", [CONFLICT, LOST_AFTER], ids=["conflict", "lost"])
@pytest.mark.parametrize("number", [1, 2])
def test_no_word_of_an_operation_is_lost(story, proxy, own_agent, number, fault):
    """That it begins, and that it has ended. Nothing else happens afterwards that would have it said again."""
    own_agent.start()
    story.follow()
    story.ends_well()
    own_agent.until(lambda: own_agent.is_idle, "nothing else is written")
    failed = proxy.once(fault, lambda verb, path: verb == "PATCH" and "/applications/" in path, number)
    mark = own_agent.apps.mark(story.name)
    own_agent.patch("ConfigMap", story.place, "a", {"data": {"it": "99"}})
    own_agent.apps.until(story.name, lambda body: sync_of(body) == "OutOfSync", since=mark)
    own_agent.until(failed.is_set, "it has failed")
    own_agent.until(lambda: is_settled(own_agent.app(story.name), story.commits[-1]), "its end is told")
    assert story.live() == story.wanted


def test_a_refresh_that_meets_another_write_is_taken_all_the_same(story, proxy, own_agent):
    own_agent.start()
    story.follow()
    story.ends_well()
    own_agent.until(lambda: own_agent.is_idle, "nothing else is written")
    failed = proxy.once(CONFLICT, lambda verb, path: verb == "PATCH" and "/applications/" in path, 1)
    own_agent.refresh(story.name)
    own_agent.synced(story.name, story.commits[-1])
    assert failed.is_set()


@pytest.mark.parametrize("asked", ["a refresh", "an operation", "a change"])
def test_what_people_ask_for_while_the_agent_writes_is_not_lost(proxy, own_agent, place, asked):
    """The answer to its own write tells the agent of it, before the watch does."""
    repository = own_agent.repository({"k8s/all.yaml": manifests(config("a"), config("b"))})
    own_agent.start()
    own_agent.follow(repository, place, "app", source={"path": "k8s"})
    commit = repository.git("rev-parse", "HEAD")
    own_agent.synced("app", commit)
    own_agent.refresh("app")
    own_agent.synced("app", commit)
    own_agent.until(lambda: own_agent.is_idle, "nothing else is written")
    proxy.hold("/applications?")
    if asked == "a refresh":
        own_agent.refresh("app")
    elif asked == "an operation":
        own_agent.ask("app")
    else:
        own_agent.change("app", {"spec": {"project": "there-is-none"}})
    own_agent.delete("ConfigMap", place, "b")
    own_agent.wait("app", lambda body: phase_of(body) == "Running")
    own_agent.until(lambda: own_agent.is_idle, "it has written")
    proxy.let_through()
    if asked == "a refresh":
        own_agent.synced("app", commit)
    elif asked == "an operation":
        own_agent.wait("app", lambda body: _asked_by(body) == "ada" and is_settled(body, commit))
    else:
        own_agent.wait("app", lambda body: "InvalidSpecError" in conditions_of(body))


def _asked_by(body: Body) -> str:
    return (status_of(body)["operationState"]["operation"].get("initiatedBy") or {}).get("username", "")


def test_what_somebody_adds_between_a_look_and_the_write_is_found(proxy, own_agent, place):
    """The answer to the write has it, as if it had been there when it was judged."""
    repository = own_agent.repository({"k8s/all.yaml": manifests(config("a", it="0"))})
    own_agent.start()
    own_agent.follow(repository, place, "app", source={"path": "k8s"})
    own_agent.synced("app", repository.git("rev-parse", "HEAD"))
    added = threading.Event()

    def choose(verb: str, path: str) -> None:
        if verb == "PATCH" and "/configmaps/a?" in path and "dryRun" not in path and not added.is_set():
            added.set()
            own_agent.patch("ConfigMap", place, "a", {"data": {"by-hand": "yes"}})

    proxy.choose = choose
    own_agent.push_and_wait("app", repository, {"k8s/all.yaml": manifests(config("a", it="1"))})
    assert added.is_set()
    own_agent.until(lambda: own_agent.get("ConfigMap", place, "a")["data"] == {"it": "1"}, "it is taken out")


def test_watches_that_are_cut_lose_nothing(proxy, own_agent, place):
    """Each time something else is touched: what was healed a moment ago is not healed again at once."""
    names = [f"c{number}" for number in range(6)]
    repository = own_agent.repository({"k8s/all.yaml": manifests(*(config(name, it="0") for name in names))})
    own_agent.start()
    own_agent.follow(repository, place, "app", source={"path": "k8s"})
    own_agent.synced("app", repository.git("rev-parse", "HEAD"))

    def is_healed(name: str) -> bool:
        return (own_agent.find("ConfigMap", place, name) or {}).get("data") == {"it": "0"}

    for number, name in enumerate(names):
        own_agent.until(proxy.cut_watches, "there are streams to cut")
        if number % 2:
            own_agent.patch("ConfigMap", place, name, {"data": {"it": "99"}})
        else:
            own_agent.delete("ConfigMap", place, name)
        own_agent.until(lambda name=name: is_healed(name), f"{name} is healed")


@pytest.mark.parametrize("seed", seeds(12))
def test_everything_fails_now_and_then(story, proxy, own_agent, seed):
    dice = random.Random(seed)
    proxy.at_random(seed, 0.12)
    own_agent.until(lambda: started(own_agent), "it starts")
    story.follow()
    for _ in range(4):
        own_agent.until(lambda: dice.random() < 0.3, "now")
        story.change(dice)
        own_agent.refresh(story.name)
        if dice.random() < 0.3:
            proxy.cut_watches()
        if dice.random() < 0.7:
            own_agent.synced(story.name, story.commits[-1])
    proxy.never()
    story.ends_well()
    assert proxy.counts


def started(agent: LiveAgent) -> bool:
    """Start, where the API server answers; as a pod that is started again does."""
    from gitops_bot.errors import ClusterError

    try:
        agent.start(poll=1.0)
    except ClusterError:
        agent.stop()
        return False
    return True


def test_definitions_that_could_not_be_written_do_not_wait_for_the_next_poll(story, proxy, own_agent):
    story.define()
    failed = 0

    def choose(verb: str, path: str) -> Fault | None:
        nonlocal failed
        if verb != "PATCH" or "/applications/" not in path or failed == DEFAULT_PATIENCE.attempts:
            return None
        failed += 1
        return SERVER_ERROR

    proxy.choose = choose
    own_agent.start(origin=Origin(story.repository.url, "apps", "main"))
    own_agent.until_there("Application", own_agent.namespace, story.name)
    assert failed == DEFAULT_PATIENCE.attempts
    story.ends_well()


def test_the_end_of_an_application_that_meets_another_write_comes_all_the_same(story, proxy, own_agent):
    own_agent.start()
    story.follow(finalizer=True)
    story.ends_well()
    failed = proxy.once(CONFLICT, lambda verb, path: verb == "PATCH" and "/applications/" in path)
    own_agent.delete("Application", own_agent.namespace, story.name)
    own_agent.until_gone("Application", own_agent.namespace, story.name)
    assert failed.is_set()
    assert story.live() == {}


@pytest.mark.parametrize("fault", [CONFLICT, NOT_FOUND], ids=["conflict", "no kind"])
@pytest.mark.parametrize("verb", ["GET", "PATCH"], ids=["unknown", "a dry run"])
def test_what_cannot_be_compared_is_named_with_the_reason_and_asked_again(proxy, own_agent, place, verb, fault):
    """Nothing else changes afterwards: it is asked again by itself."""
    repository = own_agent.repository({"k8s/all.yaml": manifests(config("a", it="0"), config("b", it="0"))})
    if verb == "PATCH":  # it is there already, and differs
        own_agent.create(config("a", it="1"), place)
    proxy.choose = lambda verb_, path: fault if verb_ == verb and "/configmaps/a" in path else None
    own_agent.start()
    own_agent.follow(repository, place, name := f"app-{place}", source={"path": "k8s"}, policy={})

    body = own_agent.wait(name, lambda body: "ComparisonWarning" in conditions_of(body))
    message = conditions_of(body)["ComparisonWarning"]
    assert message.startswith(f"ConfigMap/{place}/a could not be compared: ")
    assert "made to fail by the proxy" in message
    own_agent.until(lambda: message in dict(unsynced(own_agent.agent.applications))[name], "who waits for it hears why")

    proxy.never()
    body = own_agent.wait(name, lambda body: sync_of(body) and "ComparisonWarning" not in conditions_of(body))
    assert sync_of(body) == "OutOfSync"


def test_what_an_operation_has_done_is_told_once_though_nobody_can_look_afterwards(proxy, own_agent, place):
    names = [f"c{number}" for number in range(8)]  # more than are asked for one by one
    repository = own_agent.repository({"k8s/all.yaml": manifests(*map(config, names))})
    own_agent.start()
    own_agent.follow(repository, place, name := f"app-{place}", source={"path": "k8s"}, policy={})
    own_agent.wait(name, sync_of)
    applied = threading.Event()

    def choose(verb: str, path: str) -> Fault | None:
        if verb == "PATCH" and "/configmaps/c0?" in path and "dryRun" not in path:
            applied.set()
        return CONFLICT if applied.is_set() and f"/{place}/configmaps?" in path else None

    proxy.choose = choose
    own_agent.ask(name, resources=[{"kind": "ConfigMap", "name": "c0"}])
    body = own_agent.wait(name, lambda body: phase_of(body) == "Succeeded")
    assert results_of(body) == {"ConfigMap/c0": "Synced"}
    assert sync_of(body) == "OutOfSync"

    proxy.never()
    own_agent.wait(name, lambda body: resources_of(body)["ConfigMap/c0"] == "Synced")
    own_agent.until(lambda: own_agent.is_idle, "nothing else is done")
    assert own_agent.agent is not None
    assert 'gitops_bot_sync_operations_total{phase="Succeeded"} 1.0' in own_agent.agent.metrics.exposition().decode()


def test_what_was_pruned_is_gone_from_the_status_at_once(proxy, own_agent, place):
    """The sync has seen that it is gone; the watch tells it later."""
    repository = own_agent.repository({f"k8s/{name}.yaml": manifests(config(name)) for name in "abc"})
    own_agent.start()
    own_agent.follow(repository, place, name := f"app-{place}", source={"path": "k8s"})
    own_agent.synced(name, repository.git("rev-parse", "HEAD"))
    own_agent.until(lambda: own_agent.is_idle, "nothing else is heard")
    proxy.hold("/configmaps?")

    commit = own_agent.push(name, repository, {"k8s/b.yaml": None})
    body = own_agent.wait(name, lambda body: phase_of(body) == "Succeeded" and _revision(body) == commit)
    assert (sync_of(body), resources_of(body)) == ("Synced", {"ConfigMap/a": "Synced", "ConfigMap/c": "Synced"})


# -- kinds that are not found for a moment ----------------------------------------------------------------------------


def test_applications_that_are_not_found_for_a_moment_are_heard_of_afterwards(story, proxy, own_agent):
    own_agent.start()
    story.follow()
    story.ends_well()
    before = own_agent.get("ConfigMap", story.place, "a")["metadata"]["uid"]
    failed = proxy.once(NOT_FOUND, lambda _verb, path: "/applications?" in path and "watch=true" in path)
    own_agent.until(proxy.cut_watches, "there are streams to cut")
    own_agent.until(failed.is_set, "it has failed")
    story.change(random.Random(5))
    story.ends_well()
    assert own_agent.get("ConfigMap", story.place, "a")["metadata"]["uid"] == before


def test_an_application_that_ends_while_a_kind_is_not_found_takes_its_objects_along(story, proxy, own_agent):
    own_agent.start()
    story.follow(finalizer=True)
    story.ends_well()
    proxy.choose = lambda _verb, path: NOT_FOUND if path.startswith("/api/v1/configmaps?") else None
    own_agent.until(proxy.cut_watches, "there are streams to cut")
    own_agent.until(lambda: proxy.counts.get("404"), "the kind is not found")
    own_agent.delete("Application", own_agent.namespace, story.name)

    def is_gone() -> bool:
        return own_agent.find("Application", own_agent.namespace, story.name) is None

    own_agent.until(lambda: is_gone() or not story.live(), "its objects go")
    assert not is_gone()
    proxy.never()
    own_agent.until_gone("Application", own_agent.namespace, story.name)
    assert story.live() == {}


def test_an_object_whose_kind_is_not_found_is_not_taken_for_gone(proxy, own_agent, place):
    """It was deleted, and somebody's finalizer keeps it."""
    kept = config("b", it="0")
    kept["metadata"]["finalizers"] = ["example.org/keep"]
    repository = own_agent.repository({"k8s/a.yaml": manifests(config("a", it="0")), "k8s/b.yaml": manifests(kept)})
    own_agent.start()
    own_agent.follow(repository, place, "app", source={"path": "k8s"})
    own_agent.synced("app", repository.git("rev-parse", "HEAD"))
    proxy.choose = lambda verb, path: NOT_FOUND if verb == "GET" and path.endswith("/configmaps/b") else None

    commit = own_agent.push("app", repository, {"k8s/b.yaml": None})

    def has_ended() -> bool:
        told = [body for body in own_agent.apps.states("app") if body is not None and phase_of(body) == "Succeeded"]
        return any(_revision(body) == commit for body in told)

    own_agent.until(lambda: proxy.counts.get("404", 0) > 2 or has_ended(), "it was asked for")
    assert own_agent.find("ConfigMap", place, "b") is not None
    assert not has_ended()
    proxy.never()
    own_agent.patch("ConfigMap", place, "b", {"metadata": {"finalizers": None}})
    own_agent.synced("app", commit)
    assert own_agent.find("ConfigMap", place, "b") is None


def test_an_object_whose_kind_is_not_found_is_not_taken_for_new(proxy, own_agent, place):
    """It is another tool's, which has told so on it."""
    theirs = {"argocd.argoproj.io/tracking-id": f"theirs:/ConfigMap:{place}/a"}
    own_agent.create(config("a", theirs, it="theirs"), place)
    repository = own_agent.repository({"k8s/all.yaml": manifests(config("a", it="ours"), config("b", it="ours"))})
    proxy.choose = lambda verb, path: NOT_FOUND if verb == "GET" and path.endswith("/configmaps/a") else None
    own_agent.start()
    once = {"automated": {"prune": True}, "retry": {"limit": 0}}
    own_agent.follow(repository, place, "app", source={"path": "k8s"}, policy=once)
    own_agent.wait("app", lambda body: phase_of(body) in ("Failed", "Succeeded"))
    assert own_agent.get("ConfigMap", place, "a")["data"] == {"it": "theirs"}
    proxy.never()
    own_agent.ask("app")
    own_agent.wait("app", lambda body: "SharedResourceWarning" in conditions_of(body))
    own_agent.until_there("ConfigMap", place, "b")
    assert own_agent.get("ConfigMap", place, "a")["data"] == {"it": "theirs"}


# -- between a judgement and a deletion -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("it is made anew", "left alone: somebody has made it anew meanwhile"),
        ("it loses our label", "left alone: it is not this Application's any more"),
        ("it is to be kept", "left alone: its own options have changed meanwhile"),
    ],
)
def test_an_object_that_changes_hands_before_it_is_pruned_is_spared(proxy, own_agent, place, how, told):
    files = {f"k8s/{name}.yaml": manifests(config(name, it="0")) for name in ("a", "b", "c")}
    repository = own_agent.repository(files)
    own_agent.start()
    own_agent.follow(repository, place, "app", source={"path": "k8s"})
    own_agent.synced("app", repository.git("rev-parse", "HEAD"))
    changed = threading.Event()

    def choose(verb: str, path: str) -> None:
        if verb != "DELETE" or not path.endswith("/configmaps/b") or changed.is_set():
            return
        changed.set()
        if how == "it is made anew":
            own_agent.delete("ConfigMap", place, "b")
            own_agent.create(config("b", it="somebody's"), place)
        elif how == "it loses our label":
            own_agent.patch("ConfigMap", place, "b", {"metadata": {"labels": {PART_OF: None}}})
        else:
            keep = {"argocd.argoproj.io/sync-options": "Prune=false"}
            own_agent.patch("ConfigMap", place, "b", {"metadata": {"annotations": keep}})

    proxy.choose = choose
    commit = own_agent.push("app", repository, {"k8s/b.yaml": None, "k8s/c.yaml": None})
    body = own_agent.wait("app", lambda body: phase_of(body) == "Succeeded" and _revision(body) == commit)
    assert changed.is_set()
    results = {each["name"]: each for each in status_of(body)["operationState"]["syncResult"]["resources"]}
    assert (results["b"]["status"], results["b"]["message"]) == ("PruneSkipped", told)
    assert results["c"]["status"] == "Pruned"
    commit = own_agent.push("app", repository, {"k8s/a.yaml": manifests(config("a", it="1"))})
    own_agent.wait("app", lambda body: phase_of(body) == "Succeeded" and _revision(body) == commit)
    own_agent.until(lambda: own_agent.is_idle, "nothing else is done")
    assert {"a", "b"} <= set(own_agent.names("ConfigMap", place))
    assert "c" not in own_agent.names("ConfigMap", place)


def _revision(body: Body) -> str:
    return str(status_of(body)["operationState"]["syncResult"]["revision"])


# -- Git --------------------------------------------------------------------------------------------------------------


def test_a_git_host_that_is_gone_changes_nothing_until_it_is_back(story, own_agent):
    own_agent.start(poll=1.0)
    story.follow()
    story.ends_well()
    bare = own_agent.served / story.repository.url.rpartition("/")[2]
    bare.rename(bare.with_name(f"{bare.name}-gone"))
    own_agent.refresh(story.name)
    body = own_agent.wait(story.name, lambda body: REFRESH not in (body["metadata"].get("annotations") or {}))
    # It may be back in a moment; how long it is tolerated, and what is told then, tests of its revisions show.
    assert (sync_of(body), "ComparisonError" in conditions_of(body)) == ("Synced", False)
    assert story.live() == story.wanted
    bare.with_name(f"{bare.name}-gone").rename(bare)
    story.change(random.Random(2))
    body = story.ends_well()
    assert "ComparisonError" not in conditions_of(body)


def test_a_branch_that_is_pushed_by_force_is_followed(story, own_agent):
    own_agent.start(poll=1.0)
    story.follow()
    story.ends_well()
    first = story.commits[0]
    story.change(random.Random(3))
    story.ends_well()
    git = story.repository.git
    git("reset", "--quiet", "--hard", first)
    git("push", "--quiet", "--force", "origin", "HEAD:main")
    bare = own_agent.served / story.repository.url.rpartition("/")[2]
    git("--git-dir", str(bare), "reflog", "expire", "--expire=now", "--all")
    git("--git-dir", str(bare), "gc", "--quiet", "--prune=now")
    story.wanted = {"a": "0", "b": "0"}
    own_agent.refresh(story.name)
    body = own_agent.synced(story.name, first)
    assert story.live() == story.wanted
    assert [each["revision"] for each in status_of(body)["history"]][-1] == first


# -- the agent --------------------------------------------------------------------------------------------------------


@pytest.fixture
def run(own_agent: LiveAgent, tmp_path: Path) -> Iterator[Programs]:
    with programs(own_agent, tmp_path) as made:
        yield made


class Killer:
    """Kills the agent at one of its writes: before the API server has it, or after."""

    def __init__(self, proxy: Proxy, agent: LiveAgent) -> None:
        self._proxy, self._agent = proxy, agent
        self._lock = threading.Lock()
        self._left = -1
        self.program: Any = None
        self.killed = threading.Event()
        proxy.choose = self._choose

    def at(self, write: int, *, after: bool) -> None:
        with self._lock:
            self._left, self._after = write, after
            self.killed.clear()

    def _choose(self, verb: str, path: str) -> Fault | None:
        if verb == "GET" or "/leases" in path or "/events" in path:
            return None
        with self._lock:
            self._left -= 1
            if self._left != 0:
                return None
            if self._after:
                threading.Timer(0.02, self._kill).start()
                return LOST_AFTER
            self._kill()
            return LOST_BEFORE

    def _kill(self) -> None:
        self.program.signal(signal.SIGKILL)
        self.killed.set()


@pytest.mark.parametrize("seed", seeds(4))
def test_an_agent_that_is_killed_at_any_write(story, proxy, own_agent, run, seed):
    dice = random.Random(seed)
    killer = Killer(proxy, own_agent)
    story.define()
    own_agent.until(lambda: True, "")
    for round_ in range(4):
        killer.at(dice.randint(1, 9 if round_ else 14), after=dice.random() < 0.5)
        killer.program = run.run("--poll", "1s", repository=story.repository)
        if round_:
            story.change(dice)
        for _ in range(dice.randint(0, 1)):
            story.change(dice)
        own_agent.until(
            lambda: killer.killed.is_set() or ((own_agent.find("Application", own_agent.namespace, story.name) or {}).get("status", {}).get("sync", {}).get("status") == "Synced"
            and own_agent.app(story.name)["status"]["sync"]["revision"] == story.commits[-1]),
            "it is killed, or done",
        )  # fmt: skip
        killer.program.kill()
        forget_lease(own_agent)
    killer.at(-1, after=False)
    killer.program = run.run("--poll", "1s", repository=story.repository)
    killer.program.told("this agent leads")
    story.ends_well()


def forget_lease(agent: LiveAgent) -> None:
    """The killed agent's Lease has run out."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{agent.namespace}/leases/gitops-bot"
    agent.plane.request("PATCH", path, {"spec": {"holderIdentity": ""}}, content_type="application/merge-patch+json")


def test_an_object_that_goes_while_it_is_compared_is_gone_and_has_not_changed(
    plane: ControlPlane, own_agent: LiveAgent, proxy: Proxy, place: str
) -> None:
    own_agent.start()
    web = service("web", 80)
    repository = own_agent.repository({"app.yaml": manifests(web)})
    name = f"app-{place}"
    own_agent.follow(repository, place, name)
    before = own_agent.synced(name, repository.git("rev-parse", "HEAD"))
    gone = threading.Event()

    def delete_first(verb: str, path: str) -> None:
        if verb == "PATCH" and "/services/web" in path and "dryRun" in path and not gone.is_set():
            gone.set()
            own_agent.delete("Service", place, "web")

    proxy.choose = delete_first
    own_agent.patch("Service", place, "web", {"spec": {"ports": [{"port": 81, "name": "other"}]}}, "kubectl-edit")
    own_agent.until(lambda: gone.is_set() and own_agent.find("Service", place, "web"), "it is there again")
    own_agent.until(
        lambda: status_of(own_agent.app(name))["operationState"] != status_of(before)["operationState"], "healed"
    )
    listed = own_agent.plane.request("GET", f"/api/v1/namespaces/{own_agent.namespace}/events")["items"]
    said = [each["message"] for each in listed if each["reason"] == "DriftDetected"]
    assert said and all(each.endswith("Service/" + place + "/web: deleted") for each in said), said
