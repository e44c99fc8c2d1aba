"""An agent that runs against a real API server and real Git over HTTP, with eyes on all that it does.

Nothing here sleeps and hopes: states are told by a watch, live objects are looked at until they are as they should be.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import secrets
import socket
import ssl
import threading
import time
import urllib.error
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from gitops_bot.agent.application.record import REFRESH
from gitops_bot.agent.loop.definitions import Origin
from gitops_bot.agent.reconcile.sync import Deadlines
from gitops_bot.cli.agent.assembly import Agent, Wanted, assembled
from tests.conftest import Checkout
from tests.controlplane.plane import ControlPlane

WITHIN = 90.0
"""Seconds that anything may take on a busy machine, or after a fault; what is right takes a fraction of one."""
Body = dict[str, Any]
MERGE, JSON_PATCH, STRATEGIC, APPLY = (
    "application/merge-patch+json", "application/json-patch+json", "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)  # fmt: skip
_PLURALS = {
    "ConfigMap": "/api/v1/{}configmaps",
    "Secret": "/api/v1/{}secrets",
    "Service": "/api/v1/{}services",
    "ServiceAccount": "/api/v1/{}serviceaccounts",
    "Endpoints": "/api/v1/{}endpoints",
    "EndpointSlice": "/apis/discovery.k8s.io/v1/{}endpointslices",
    "PersistentVolumeClaim": "/api/v1/{}persistentvolumeclaims",
    "Pod": "/api/v1/{}pods",
    "Namespace": "/api/v1/namespaces",
    "Node": "/api/v1/nodes",
    "Deployment": "/apis/apps/v1/{}deployments",
    "ReplicaSet": "/apis/apps/v1/{}replicasets",
    "StatefulSet": "/apis/apps/v1/{}statefulsets",
    "Job": "/apis/batch/v1/{}jobs",
    "CronJob": "/apis/batch/v1/{}cronjobs",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/{}horizontalpodautoscalers",
    "Ingress": "/apis/networking.k8s.io/v1/{}ingresses",
    "Role": "/apis/rbac.authorization.k8s.io/v1/{}roles",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "ValidatingAdmissionPolicy": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
    "Application": "/apis/argoproj.io/v1alpha1/{}applications",
    "AppProject": "/apis/argoproj.io/v1alpha1/{}appprojects",
}


class Call(NamedTuple):
    """One request of the agent's account, as the audit log has it."""

    verb: str
    """``get``, ``list``, ``watch``, ``patch``, ``delete``, …"""
    resource: str
    """``deployments``."""
    namespace: str
    name: str
    code: int
    uri: str

    @property
    def is_dry_run(self) -> bool:
        return "dryRun=All" in self.uri

    @property
    def is_write(self) -> bool:
        return self.verb not in ("get", "list", "watch") and not self.is_dry_run


class Cluster:
    """What people and other controllers do in the cluster, as admin, and what is there."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane

    def path(self, kind: str, namespace: str, name: str = "") -> str:
        collection = _PLURALS[kind].format(f"namespaces/{namespace}/" if namespace else "")
        return f"{collection}/{name}" if name else collection

    def find(self, kind: str, namespace: str, name: str) -> Body | None:
        try:
            return self.plane.request("GET", self.path(kind, namespace, name))
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return None

    def get(self, kind: str, namespace: str, name: str) -> Body:
        found = self.find(kind, namespace, name)
        assert found is not None, f"{kind} {namespace}/{name} is not there"
        return found

    def all(self, kind: str, namespace: str) -> list[Body]:
        return self.plane.request("GET", self.path(kind, namespace))["items"]

    def names(self, kind: str, namespace: str) -> list[str]:
        return [each["metadata"]["name"] for each in self.all(kind, namespace)]

    def create(self, body: Body, namespace: str = "", manager: str = "kubectl-create") -> Body:
        return self.plane.request("POST", f"{self.path(body['kind'], namespace)}?fieldManager={manager}", body)

    def patch(
        self, kind: str, namespace: str, name: str, change: Any, manager: str = "kubectl-edit", *,
        content_type: str = MERGE, sub: str = "",
    ) -> Body:  # fmt: skip
        path = f"{self.path(kind, namespace, name)}{sub}?fieldManager={manager}&force=true"
        if content_type != APPLY:
            path = path.removesuffix("&force=true")
        return self.plane.request("PATCH", path, change, content_type=content_type)

    def delete(self, kind: str, namespace: str, name: str) -> None:
        with contextlib.suppress(urllib.error.HTTPError):
            self.plane.request("DELETE", self.path(kind, namespace, name))

    def until(self, holds: Callable[[], Any], what: str = "", within: float = WITHIN) -> Any:
        """What ``holds`` gives as soon as it is true; fails the test when that takes too long."""
        end = time.monotonic() + within
        while not (found := holds()):
            assert time.monotonic() < end, f"not within {within:.0f} s: {what or holds}"
            time.sleep(0.03)
        return found

    def until_gone(self, kind: str, namespace: str, name: str) -> None:
        self.until(lambda: self.find(kind, namespace, name) is None, f"{kind} {namespace}/{name} goes")

    def until_there(self, kind: str, namespace: str, name: str) -> Body:
        return self.until(lambda: self.find(kind, namespace, name), f"{kind} {namespace}/{name} comes")


class Watched:
    """Every state that the objects of one kind and namespace were in, in order, as a watch tells them."""

    def __init__(self, plane: ControlPlane, path: str) -> None:
        self._plane, self._path = plane, path
        self._changed = threading.Condition()
        self._states: dict[str, list[Body | None]] = {}
        self._version = ""
        self._closed = threading.Event()
        end = time.monotonic() + WITHIN
        while not self._open():  # a kind is there a moment after its definition
            assert time.monotonic() < end, f"{path}: {self._answer.status} {self._answer.read()!r}"
            self._connection.close()
            time.sleep(0.05)
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _open(self) -> bool:
        place = urlsplit(self._plane.url)
        context = ssl.create_default_context(cafile=str(self._plane.certificate))
        # Silence costs a new stream, from where the last one was: a server that has just started may never answer.
        self._connection = http.client.HTTPSConnection(place.hostname or "", place.port, context=context, timeout=5)
        since = f"&resourceVersion={self._version}" if self._version else ""
        headers = {"Authorization": f"Bearer {self._plane.token}"}
        self._connection.request("GET", f"{self._path}?watch=true{since}", headers=headers)
        self._socket = self._connection.sock
        self._answer = self._connection.getresponse()
        return self._answer.status == 200

    def _follow(self) -> None:
        """Hear it over as many streams as it takes: an API server may be gone for a while."""
        while True:
            with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
                while line := self._answer.readline():
                    self._hear(json.loads(line))
            opened = False
            while not opened:
                self._answer.close()
                self._connection.close()
                if self._closed.wait(0.05):
                    return
                with contextlib.suppress(OSError, http.client.HTTPException):
                    opened = self._open()

    def _hear(self, event: Body) -> None:
        body = event["object"]
        if event["type"] == "ERROR":  # it has forgotten what was since then
            listed = self._plane.request("GET", self._path)
            there = {each["metadata"]["name"]: each for each in listed["items"]}
            with self._changed:
                for name in {*there, *self._states}:
                    self._take(name, there.get(name))
            self._version = listed["metadata"]["resourceVersion"]
            return
        self._version = body["metadata"]["resourceVersion"]
        with self._changed:
            self._take(body["metadata"]["name"], body if event["type"] != "DELETED" else None)

    def _take(self, name: str, body: Body | None) -> None:
        states = self._states.setdefault(name, [])
        if not states or states[-1] != body:
            states.append(body)
            self._changed.notify_all()

    def states(self, name: str) -> list[Body | None]:
        """Oldest first; None for gone."""
        with self._changed:
            return list(self._states.get(name, ()))

    def mark(self, name: str) -> int:
        """How many states there were so far."""
        return len(self.states(name))

    def until(
        self, name: str, holds: Callable[[Body | None], Any], *, since: int, within: float = WITHIN
    ) -> Body | None:
        """The first state from ``since`` on for which ``holds`` is true; fails the test with the last one."""
        end = time.monotonic() + within
        with self._changed:
            while True:
                states = self._states.get(name, [])
                for state in states[since:]:
                    if holds(state):
                        return state
                since = max(since, len(states))
                left = end - time.monotonic()
                assert left > 0, f"{name} did not get there within {within:.0f} s; it is {_short(states)}"
                self._changed.wait(left)

    def close(self) -> None:
        self._closed.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._answer.close()
        self._connection.close()


def _short(states: list[Body | None]) -> str:
    """The last states, without their long lists."""
    kept = ("sync", "health", "operationState", "conditions", "history")
    shown: list[Any] = []
    for state in states[-3:]:
        status = (state or {}).get("status") or {}
        told = {key: status[key] for key in kept if key in status}
        told.get("sync", {}).pop("comparedTo", None)
        told["history"] = len(told.get("history", ()))
        shown.append(told if state is not None else None)
    return json.dumps(shown, indent=1)


class Repository(Checkout):
    """A repository over real smart HTTP, and a checkout to commit to and push from."""

    def __init__(self, path: Path, bare: Path, url: str) -> None:
        super().__init__(path)
        self.url = url
        # Not the same ids in every run: agents of several tests share a cache.
        self._clock = int(time.time()) - 100_000
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(bare))
        self.git("remote", "add", "origin", str(bare))

    def push(self, files: Mapping[str, str | bytes | None], message: str = "change") -> str:
        """Commit and push; the commit id."""
        commit = self.commit(files, message)
        self.git("push", "--quiet", "origin", "HEAD:main")
        return commit


class LiveAgent(Cluster):
    """One agent, its namespace and account, and what it did."""

    def __init__(self, plane: ControlPlane, namespace: str, kubeconfig: Path, served: Path, url: str) -> None:
        super().__init__(plane)
        self.namespace = namespace
        self.kubeconfig = kubeconfig
        self.served, self.url = served, url
        self.apps = Watched(plane, self.path("Application", namespace))
        self.agent: Agent | None = None
        self._stack = contextlib.ExitStack()
        self._since: dict[str, str] = {}
        """Of each Application, the version that the test's last change made."""

    # -- its life -----------------------------------------------------------------------------------------------------

    def start(self, *, origin: Origin | None = None, poll: float = 600.0, deadlines: Deadlines | None = None) -> None:
        """Begin; without a short ``poll`` Git is asked when a test says so (``refresh``)."""
        wanted = Wanted(
            namespace=self.namespace,
            cluster_name="staging",
            kubeconfig=str(self.kubeconfig),
            origin=origin,
            poll=poll,
            deadlines=deadlines or Deadlines(),
        )
        self.agent = self._stack.enter_context(assembled(wanted))
        self.agent.start()

    @property
    def is_idle(self) -> bool:
        """Whether everything that is due was done."""
        return self.agent is not None and self.agent.controller.is_idle

    def stop(self) -> None:
        """End it as a terminated pod ends; what it has written stays."""
        self._stack.close()
        self.agent = None

    def close(self) -> None:
        self.stop()
        self.apps.close()

    # -- Git and Applications -----------------------------------------------------------------------------------------

    def repository(self, files: Mapping[str, str | bytes | None], name: str = "") -> Repository:
        """A repository of the test's own with one commit on ``main``."""
        name = name or f"repository-{secrets.token_hex(4)}"
        checkout = self.served.parent / f"checkout-{secrets.token_hex(4)}"
        checkout.mkdir()
        made = Repository(checkout, self.served / name, f"{self.url}/{name}")
        made.push(files, "first")
        return made

    def follow(
        self,
        repository: Repository,
        namespace: str,
        name: str,
        *,
        source: Mapping[str, Any] | None = None,
        policy: Mapping[str, Any] | None = None,
        finalizer: bool = False,
        annotations: Mapping[str, str] | None = None,
        **spec: Any,
    ) -> Body:
        """An Application of a repository, made as people make one; by default it syncs, prunes and heals by itself."""
        metadata: Body = {"name": name, "namespace": self.namespace, "annotations": dict(annotations or {})}
        if finalizer:
            metadata["finalizers"] = ["resources-finalizer.argocd.argoproj.io"]
        return self.create({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": metadata,
            "spec": {
                "project": "default",
                "source": {"repoURL": repository.url, "targetRevision": "main", "path": ".", **(source or {})},
                "destination": {"server": "https://kubernetes.default.svc", "namespace": namespace},
                "syncPolicy": {"automated": {"prune": True, "selfHeal": True}} if policy is None else dict(policy),
                **spec,
            },
        }, self.namespace)  # fmt: skip

    def app(self, name: str) -> Body:
        return self.get("Application", self.namespace, name)

    def change(self, name: str, change: Body) -> None:
        """What a person changes in an Application, as a merge patch."""
        changed = self.patch("Application", self.namespace, name, change)
        self._since[name] = changed["metadata"]["resourceVersion"]

    def refresh(self, name: str, kind: str = "normal") -> None:
        """Have Git asked now, as a webhook or an impatient person does."""
        self.change(name, {"metadata": {"annotations": {REFRESH: kind}}})

    def ask(self, name: str, **sync: Any) -> None:
        """Ask for a sync, as a person does."""
        self.change(name, {"operation": {"initiatedBy": {"username": "ada"}, "sync": sync}})

    def approve(self, name: str) -> None:
        """Approve a deletion that is held."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.change(name, {"metadata": {"annotations": {"argocd.argoproj.io/deletion-approved": now}}})

    def wait(self, name: str, holds: Callable[[Body], Any], within: float = WITHIN) -> Body:
        """The first state of an Application, from the last change that the test made on, for which ``holds`` is true."""
        since = int(self._since.get(name, "0"))

        def after(body: Body | None) -> bool:
            return body is not None and int(body["metadata"]["resourceVersion"]) >= since and bool(holds(body))

        found = self.apps.until(name, after, since=0, within=within)
        assert found is not None
        return found

    def synced(self, name: str, commit: str, within: float = WITHIN) -> Body:
        """Wait until an Application is Synced and Healthy at a commit, and nothing is under way."""
        return self.wait(name, lambda body: is_settled(body, commit), within)

    def push(
        self, name: str, repository: Repository, files: Mapping[str, str | bytes | None], message: str = ""
    ) -> str:
        """Commit, push and have Git asked; the commit id."""
        commit = repository.push(files, message or "change")
        self.refresh(name)
        return commit

    def push_and_wait(self, name: str, repository: Repository, files: Mapping[str, str | bytes | None]) -> Body:
        return self.synced(name, self.push(name, repository, files))

    def forget(self, name: str) -> None:
        """Take an Application away and leave its objects."""
        with contextlib.suppress(urllib.error.HTTPError):
            self.patch("Application", self.namespace, name, {"metadata": {"finalizers": None}})
        self.delete("Application", self.namespace, name)

    # -- what it did --------------------------------------------------------------------------------------------------

    @property
    def account(self) -> str:
        return f"system:serviceaccount:{self.namespace}:gitops-bot"

    def now(self) -> int:
        """A place in the audit log, for ``calls``."""
        return self.plane.audit_log.stat().st_size

    def calls(self, since: int = 0) -> list[Call]:
        """The requests of the agent's account from a place in the audit log on."""
        with self.plane.audit_log.open("rb") as log:
            log.seek(since)
            lines = [line for line in log if self.account.encode() in line]
        return [call for call in map(_call, lines) if call is not None]

    def about(self, namespace: str, since: int = 0) -> list[Call]:
        """The requests about objects of one namespace."""
        return [call for call in self.calls(since) if call.namespace == namespace]

    def denied(self) -> list[Call]:
        """What the account's rights did not suffice for."""
        return [call for call in self.calls() if call.code == 403]


def _call(line: bytes) -> Call | None:
    told = json.loads(line)
    if not told["user"]["username"].startswith("system:serviceaccount:"):
        return None
    about = told.get("objectRef") or {}
    return Call(
        told["verb"], about.get("resource", ""), about.get("namespace", ""), about.get("name", ""),
        (told.get("responseStatus") or {}).get("code", 0), told["requestURI"],
    )  # fmt: skip


# -- what a state says ------------------------------------------------------------------------------------------------


def status_of(body: Body) -> Body:
    return body.get("status") or {}


def sync_of(body: Body) -> str:
    return (status_of(body).get("sync") or {}).get("status", "")


def health_of(body: Body) -> str:
    return (status_of(body).get("health") or {}).get("status", "")


def phase_of(body: Body) -> str:
    return (status_of(body).get("operationState") or {}).get("phase", "")


def conditions_of(body: Body) -> dict[str, str]:
    return {each["type"]: each["message"] for each in status_of(body).get("conditions", [])}


def resources_of(body: Body) -> dict[str, str]:
    """``Kind/name`` → sync status."""
    return {f"{each['kind']}/{each['name']}": each["status"] for each in status_of(body).get("resources", [])}


def results_of(body: Body) -> dict[str, str]:
    """``Kind/name`` → what the last operation did with it."""
    found = status_of(body)["operationState"].get("syncResult", {}).get("resources", [])
    return {f"{each['kind']}/{each['name']}": each["status"] for each in found}


def is_settled(body: Body, commit: str) -> bool:
    """Synced and Healthy at a commit, with nothing under way."""
    status = status_of(body)
    return (
        sync_of(body) == "Synced"
        and status["sync"].get("revision") == commit
        and health_of(body) == "Healthy"
        and phase_of(body) in ("", "Succeeded")
        and "operation" not in body
        and REFRESH not in (body["metadata"].get("annotations") or {})
    )


# -- manifests --------------------------------------------------------------------------------------------------------


def manifests(*bodies: Body) -> str:
    """Bodies as a file of a repository: JSON is YAML."""
    return "\n---\n".join(json.dumps(body) for body in bodies) + "\n"


def config(name: str, annotations: Mapping[str, str] | None = None, **data: str) -> Body:
    metadata: Body = {"name": name, "annotations": dict(annotations)} if annotations else {"name": name}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def deployment(name: str, replicas: int | None = 1, **container: Any) -> Body:
    """A Deployment whose pods kwok runs."""
    spec: Body = {
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "web", "image": "example.org/web:1", **container}]},
        },
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def service(name: str, *ports: int) -> Body:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"name": f"p{port}", "port": port} for port in ports]},
    }


# -- making one -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def live_agent(
    plane: ControlPlane, folder: Path, served: Path, url: str, *, may_be_denied: bool = False
) -> Iterator[LiveAgent]:
    """An agent that is not started yet, in a namespace of its own, with the rights that ``deploy`` ships.

    They are enough, so denied calls fail the test, unless it is one in which they ``may_be_denied`` all the same.
    """
    namespace = f"agent-{secrets.token_hex(4)}"
    install(plane, namespace)
    token = plane.request(
        "POST",
        f"/api/v1/namespaces/{namespace}/serviceaccounts/gitops-bot/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 7200}},
    )["status"]["token"]
    kubeconfig = plane.write_kubeconfig(folder / f"{namespace}.kubeconfig", token)
    agent = LiveAgent(plane, namespace, kubeconfig, served, url)
    try:
        yield agent
        denied = agent.denied()
        assert may_be_denied or not denied, f"the agent's account may not do what it tried: {denied[:5]}"
    finally:
        agent.close()
        for name in agent.names("Application", namespace):
            agent.forget(name)
        plane.request("DELETE", f"/api/v1/namespaces/{namespace}")
        plane.request("DELETE", f"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/{namespace}")


def install(plane: ControlPlane, namespace: str) -> None:
    """A namespace with the agent's account, and the rights of ``deploy/rbac.yaml`` for it."""
    plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    plane.request(
        "POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "gitops-bot"}}
    )  # fmt: skip
    group = "rbac.authorization.k8s.io"
    plane.request("POST", f"/apis/{group}/v1/clusterrolebindings", {
        "metadata": {"name": namespace},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "gitops-bot"},
        "subjects": [{"kind": "ServiceAccount", "name": "gitops-bot", "namespace": namespace}],
    })  # fmt: skip


def copied(folder: Path, replace: Iterable[tuple[str, str]] = ()) -> dict[str, str | bytes | None]:
    """The files of a directory, with texts replaced, for ``LiveAgent.repository``."""
    found: dict[str, str | bytes | None] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not {"__pycache__", ".ruff_cache"} & {*path.parts}:
            text = path.read_text()
            for old, new in replace:
                text = text.replace(old, new)
            found[str(path.relative_to(folder))] = text
    return found
