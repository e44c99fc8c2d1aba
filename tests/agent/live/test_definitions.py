"""Applications that Git defines: made by the agent in its own namespace, expanded, and gone with what Git has no more."""

from __future__ import annotations

import pytest

from gitops_bot.agent.loop.definitions import Origin
from tests.agent.live.harness import LiveAgent, Repository, conditions_of, config, manifests, resources_of, sync_of

FINALIZER = "resources-finalizer.argocd.argoproj.io"


def application(name, repository, namespace, path, *, finalizer=True):
    metadata = {"name": name, "namespace": "argocd"}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {**metadata, **({"finalizers": [FINALIZER]} if finalizer else {})},
        "spec": {
            "project": "default",
            "source": {"repoURL": repository, "targetRevision": "main", "path": path},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": namespace},
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
        },
    }


class Defined:
    """An agent that follows the definitions in ``apps`` of a repository."""

    def __init__(self, agent: LiveAgent, place: str) -> None:
        self.agent, self.place = agent, place
        name = f"defined-{place}"
        self.url = f"{agent.url}/{name}"
        self.repository: Repository = agent.repository({"one/app.yaml": manifests(config("one", key="1")),
                                                        "two/app.yaml": manifests(config("two", key="1"))}, name)  # fmt: skip

    def start(self, poll=2.0):
        """What is looked at again at each poll is due now, and the agent never idle, where it is polled each second."""
        self.agent.start(origin=Origin(self.url, "apps", "main"), poll=poll)

    def app(self, name, path=None, **how):
        return application(name, self.url, self.place, path or name, **how)

    def push(self, **files):
        """Files of ``apps`` by name without ending."""
        return self.repository.push({
            f"apps/{name}.yaml": None if bodies is None else manifests(*bodies) for name, bodies in files.items()
        })  # fmt: skip

    def until_synced(self, *names):
        for name in names:
            self.agent.apps.until(name, lambda body: body is not None and sync_of(body) == "Synced", since=0)

    @property
    def names(self):
        return self.agent.names("Application", self.agent.namespace)

    @property
    def going(self):
        """Those that are being deleted: a finalizer keeps them a while."""
        found = self.agent.all("Application", self.agent.namespace)
        return [each["metadata"]["name"] for each in found if "deletionTimestamp" in each["metadata"]]

    @property
    def configs(self):
        return sorted(set(self.agent.names("ConfigMap", self.place)) - {"kube-root-ca.crt"})


@pytest.fixture
def defined(own_agent, place):
    return Defined(own_agent, place)


def test_what_git_defines_no_more_goes_as_its_finalizer_says(defined):
    defined.push(one=[defined.app("one")], two=[defined.app("two", finalizer=False)])
    defined.start()
    defined.until_synced("one", "two")
    assert defined.names == ["one", "two"]

    defined.push(two=None)
    defined.agent.until(lambda: defined.names == ["one"])
    assert defined.configs == ["one", "two"], "without a finalizer its objects stay"

    defined.push(two=[defined.app("two")], one=None)
    defined.agent.until(lambda: defined.names == ["two"] and defined.configs == ["two"])

    # Nothing at all is no reason to take everything away.
    defined.push(two=None, readme=[])
    defined.agent.until(lambda: "none is removed" in defined.agent.agent.controller.problem)
    assert (defined.names, defined.going, defined.configs) == (["two"], [], ["two"])


def test_who_asks_for_a_refresh_gets_what_git_defines_now_too(defined):
    defined.push(one=[defined.app("one")])
    defined.start(poll=600.0)
    defined.until_synced("one")
    defined.push(two=[defined.app("two")])
    defined.agent.refresh("one")
    defined.until_synced("two")


def test_a_broken_definition_hides_nothing_and_removes_nothing(defined):
    defined.push(one=[defined.app("one")], two=[defined.app("two")])
    defined.start()
    defined.until_synced("one", "two")
    broken = "<<<<<<< HEAD\n" + manifests(defined.app("one"))
    defined.repository.push(
        {
            "apps/one.yaml": broken,
            "apps/two.yaml": None,
            "apps/three.yaml": manifests(defined.app("three", "two", finalizer=False)),
        }
    )
    defined.agent.until(lambda: "one.yaml" in defined.agent.agent.controller.problem)
    assert (defined.names, defined.going) == (["one", "three", "two"], [])


def test_a_definition_that_the_cluster_refuses_stops_no_other(defined):
    wrong = defined.app("one")
    wrong["metadata"]["labels"] = {"not a label": "x"}
    defined.push(one=[wrong], two=[defined.app("two")])
    defined.start()
    defined.until_synced("two")
    defined.agent.until(lambda: "not a label" in defined.agent.agent.controller.problem)


def test_application_sets_are_expanded_and_an_empty_generator_removes_nothing(defined):
    def made(elements):
        return {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "ApplicationSet",
            "metadata": {"name": "many", "namespace": "argocd"},
            "spec": {
                "goTemplate": False,
                "generators": [{"list": {"elements": [{"name": each} for each in elements]}}],
                "template": {
                    **{key: defined.app("x", "{{name}}")[key] for key in ("spec",)},
                    "metadata": {"name": "{{name}}", "finalizers": [FINALIZER]},
                },
            },
        }

    defined.push(many=[made(["one", "two"])])
    defined.start()
    defined.until_synced("one", "two")
    assert defined.names == ["one", "two"]

    defined.push(many=[made(["two"])])
    defined.agent.until(lambda: defined.names == ["two"] and defined.configs == ["two"])

    # The other definitions are still there, and what the generator had stays.
    defined.push(many=[made([])], one=[defined.app("one")])
    defined.agent.until(lambda: "many" in defined.agent.agent.controller.problem)
    defined.agent.until(lambda: (defined.names, defined.configs) == (["one", "two"], ["one", "two"]))
    defined.agent.until(lambda: defined.agent.is_idle)
    assert defined.names == ["one", "two"]


def test_what_a_generator_reads_in_another_repository_is_followed_there(defined):
    elsewhere = defined.agent.repository({"one/a.yaml": manifests(config("one", key="1"))}, f"else-{defined.place}")
    made = defined.app("{{path.basename}}", "{{path}}")
    made["spec"]["source"]["repoURL"] = elsewhere.url
    generators = [{"git": {"repoURL": elsewhere.url, "revision": "main", "directories": [{"path": "*"}]}}]
    metadata = {"name": "{{path.basename}}", "finalizers": [FINALIZER]}
    application_set = {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "metadata": {"name": "elsewhere"},
        "spec": {"generators": generators, "template": {"spec": made["spec"], "metadata": metadata}},
    }  # fmt: skip
    defined.repository.push({".gitops-bot.yaml": f"fetch: {{allow: ['{elsewhere.url}']}}\n"})
    defined.push(many=[application_set])
    defined.start()
    defined.until_synced("one")
    elsewhere.push({"two/a.yaml": manifests(config("two", key="1"))})
    defined.until_synced("two")

    # As long as nothing moves there, nothing is applied again.
    defined.agent.until(lambda: defined.agent.is_idle)
    since = defined.agent.now()
    elsewhere.push({"one/a.yaml": None, "one/b.yaml": manifests(config("three", key="1"))})
    defined.agent.until(lambda: defined.configs == ["three", "two"])
    written = [call for call in defined.agent.calls(since) if call.is_write and call.resource == "applications"]
    assert [call for call in written if "fieldManager=gitops-bot&" in call.uri and "/status" not in call.uri] == []


def test_children_of_a_rendered_parent_live_in_the_agents_namespace(defined):
    files = {
        "children/one.yaml": manifests(defined.app("one")),
        "children/two.yaml": manifests(defined.app("two")),
    }
    defined.repository.commit(files)
    defined.push(parent=[defined.app("parent", "children")])
    defined.start()
    defined.until_synced("parent", "one", "two")
    assert defined.names == ["one", "parent", "two"]
    assert defined.configs == ["one", "two"]

    # A child that left Git goes, and takes its objects along.
    defined.repository.push({"children/one.yaml": None})
    defined.agent.until(lambda: defined.names == ["parent", "two"] and defined.configs == ["two"])
    # One that somebody changes is put back.
    two = defined.agent.app("two")["spec"]
    defined.agent.patch("Application", defined.agent.namespace, "two", {"spec": {"source": {"path": "one"}}})
    defined.agent.until(lambda: defined.agent.app("two")["spec"] == two)
    # And without the parent all of them go.
    defined.push(parent=None, other=[defined.app("other", "two", finalizer=False)])
    defined.agent.until(lambda: defined.names == ["other"])


def test_a_child_that_is_found_as_a_file_too_is_one_application(defined):
    """Parent and children lie below the same directory: whoever finds a child, it settles and stays."""
    defined.push(one=[defined.app("one")], parent=[defined.app("parent", "apps")])
    defined.start()
    defined.until_synced("parent", "one")
    label = "applyset.kubernetes.io/part-of"
    defined.agent.until(lambda: label in defined.agent.app("one")["metadata"].get("labels", {}), "the parent's")
    defined.agent.until(lambda: defined.agent.is_idle)
    since = defined.agent.now()
    defined.push(readme=[])
    head = defined.repository.git("rev-parse", "HEAD")
    defined.agent.synced("parent", head)
    defined.agent.until(lambda: defined.agent.is_idle)
    written = [call for call in defined.agent.calls(since) if call.is_write and call.resource == "applications"]
    assert [call for call in written if "fieldManager=gitops-bot&" in call.uri] == []
    defined.push(one=None)
    defined.agent.until(lambda: defined.names == ["parent"] and defined.configs == [])


def application_set(name, defined, generators):
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "generators": generators,
            "template": {
                "metadata": {"name": "{{name}}", "finalizers": [FINALIZER]},
                "spec": defined.app("x", "{{name}}")["spec"],
            },
        },
    }


def test_an_application_set_of_a_parent_is_expanded_and_an_empty_generator_stops_the_parent(defined):
    def listed(*elements):
        return {"list": {"elements": [{"name": each} for each in elements]}}

    def push(*generators):
        defined.repository.commit({"children/many.yaml": manifests(application_set("many", defined, generators))})
        defined.push(parent=[defined.app("parent", "children")])
        return defined.repository.git("rev-parse", "HEAD")

    defined.repository.commit({"teams/one.json": '{"name": "one"}', "teams/two.json": '{"name": "two"}'})
    push({"git": {"repoURL": defined.url, "revision": "HEAD", "files": [{"path": "teams/*.json"}]}})
    defined.start()
    defined.until_synced("parent", "one", "two")
    assert defined.names == ["one", "parent", "two"]
    assert defined.configs == ["one", "two"]
    assert resources_of(defined.agent.app("parent")) == {"Application/one": "Synced", "Application/two": "Synced"}

    # What it does not generate any more goes with its objects, and what somebody changes of the rest is put back.
    commit = push(listed("two"))
    defined.agent.synced("parent", commit)
    defined.agent.until(lambda: defined.names == ["parent", "two"] and defined.configs == ["two"])
    before = defined.agent.app("two")["spec"]
    defined.agent.patch("Application", defined.agent.namespace, "two", {"spec": {"source": {"path": "one"}}})
    defined.agent.until(lambda: defined.agent.app("two")["spec"] == before, "as generated")

    # A generator that suddenly yields nothing is no reason to take anything away.
    push(listed())
    body = defined.agent.wait("parent", lambda body: "ComparisonError" in conditions_of(body))
    assert "many" in conditions_of(body)["ComparisonError"]
    defined.agent.until(lambda: defined.agent.is_idle)
    assert (defined.names, defined.configs) == (["parent", "two"], ["two"])
