"""What the agent costs, beside kubectl and the bare requests: one command, one table.

    python benchmarks/agent.py [--only a,b,c,d] [--repeat N]

Every case has a control plane of its own (that of the tests), a Git server, and the agent as a process of its own under
the rights that ``deploy`` gives it. CPU and memory are the agent's own, its renderers and git aside. Requests are those
of the API server's audit log.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from cluster import Agent, Audit, Body, Place, Request, exists, place, probe, timed, told

from gitops_bot.doors import tools
from tests.controlplane.install import NAMESPACE

_POLL = 4.0
_POLLS = 10
_Ways = Mapping[str, tuple[str, Callable[[Place, str], None]]]
"""By name the path of an object, and what is done to it."""


class Row(NamedTuple):
    """One line of the table."""

    case: str
    what: str
    value: str
    target: str = ""
    met: bool | None = None


# -- what is deployed -------------------------------------------------------------------------------------------------


def _object(kind: str, name: str, version: str = "v1", **rest: object) -> Body:
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": "bench"}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": labels}, **rest}


def config_map(name: str) -> Body:
    """Some settings."""
    return _object(
        "ConfigMap", name, data={"LOG_LEVEL": "info", "THRESHOLD": "0.5", "OBJECT_STORE": "http://store:9000"}
    )


def secret(name: str) -> Body:
    """A password."""
    return _object("Secret", name, type="Opaque", data={"password": base64.b64encode(name.encode()).decode()})


def account(name: str) -> Body:
    """A ServiceAccount."""
    return _object("ServiceAccount", name)


def service(name: str) -> Body:
    """A Service with two ports."""
    ports = [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "metrics", "port": 9090, "targetPort": 9090}]
    return _object("Service", name, spec={"selector": {"app": name}, "ports": ports})


def deployment(name: str, replicas: int) -> Body:
    """An API with a probe, settings and limits."""
    container = {
        "name": "api",
        "image": f"ghcr.io/acme/{name}:1.0.0",
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": [{"name": "MODE", "value": "production"}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}},
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
    }
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return _object("Deployment", name, "apps/v1", spec=spec)


def hundred(app: str) -> list[Body]:
    """100 objects as an application may have them; two of them run a pod."""
    return [
        *(config_map(f"{app}-{number}") for number in range(58)),
        *(secret(f"{app}-{number}") for number in range(15)),
        *(account(f"{app}-{number}") for number in range(10)),
        *(service(f"{app}-{number}") for number in range(10)),
        *(deployment(f"{app}-{number}", int(number < 2)) for number in range(7)),
    ]


def five(app: str) -> list[Body]:
    """A small application."""
    return [config_map(app), secret(app), account(app), service(app), deployment(app, 0)]


def _fleet(where: Place, count: int, objects: Callable[[str], list[Body]]) -> str:
    """Applications in ten namespaces, one directory each; the commit."""
    spaces = [where.namespace(f"team-{number}") for number in range(10)]
    names = [f"app-{number:04d}" for number in range(count)]
    for name in names:
        where.repository.write(f"apps/{name}/all.yaml", objects(name))
    commit = where.repository.commit()
    for number, name in enumerate(names):
        where.define(name, spaces[number % 10])
    return commit


# -- the cases --------------------------------------------------------------------------------------------------------


class Bench:
    """Where to work, and how often."""

    def __init__(self, scratch: Path, repeat: int) -> None:
        self._scratch = scratch
        self._repeat = repeat

    def unchanged(self) -> Iterable[Row]:
        """10,000 objects: nothing changes, the agent starts anew, and a commit changes nothing of them."""
        with place(self._scratch / "a") as where:
            audit = Audit(where.plane.audit_log)
            commit = _fleet(where, 100, hundred)
            with where.agent(poll=_POLL) as agent:
                spent = where.until_synced(100, commit)
                first = where.until_quiet(audit)
                yield Row(
                    "a",
                    "100 Applications with 100 objects each: first install, requests",
                    f"{spent:.0f} s, {told(first)}",
                )
                yield from self._polls(where, agent, audit)
                yield Row("a", "memory then", f"{agent.memory():.0f} MiB, at most {agent.memory('VmHWM'):.0f}")
                yield from self._no_op(where, agent, audit)
            yield from self._restart(where, "a", 100)

    def _polls(self, where: Place, agent: Agent, audit: Audit) -> Iterable[Row]:
        asked, before, began = where.repository.asked(), agent.cpu(), time.monotonic()
        while (polls := where.repository.asked() - asked) < _POLLS:
            time.sleep(0.2)
        cpu, found = agent.cpu() - before, [each for each in audit.new() if each.verb != "watch"]
        each = 1000 * cpu / polls
        what = f"nothing changes: CPU of a poll ({polls} polls in {time.monotonic() - began:.0f} s)"
        yield Row("a", what, f"{each:.0f} ms", "< 100 ms", each < 100)
        yield Row("a", "nothing changes: requests to the API server", told(found), "none", not found)

    def _no_op(self, where: Place, agent: Agent, audit: Audit) -> Iterable[Row]:
        (where.repository.work / "README.md").write_text("Nothing of this is deployed.\n")
        before, git = agent.cpu(), agent.cpu_of_children()
        audit.new()
        commit = where.repository.commit()
        spent = where.until_synced(100, commit)
        found = where.until_quiet(audit)
        objects = [each for each in found if each.resource != "applications"]
        cpu, git = agent.cpu() - before, agent.cpu_of_children() - git
        what = "a commit that changes nothing of them: until every status names it"
        yield Row("a", what, f"{spent:.1f} s, CPU {cpu:.2f} s (git {git:.2f} s)")
        yield Row("a", "requests for that", told(found), "one write an Application", not objects and len(found) <= 100)

    def _restart(self, where: Place, case: str, count: int) -> Iterable[Row]:
        audit = Audit(where.plane.audit_log)
        spent = where.once()
        found = audit.new()
        what = f"{count:,} Applications: a new process, until each was rendered and compared, and nothing is to be done"
        yield Row(case, what, f"{spent.seconds:.1f} s, CPU {spent.cpu:.1f} s with renderers and git")
        single = [each for each in found if each.of_one and each.resource != "events"]
        asked = [each for each in found if each.verb != "watch"]
        yield Row(case, "requests for that", told(asked), "no write, no single object", not single)

    def many(self) -> Iterable[Row]:
        """1,000 Applications with 5 objects each: memory."""
        with place(self._scratch / "b") as where:
            audit = Audit(where.plane.audit_log)
            commit = _fleet(where, 1000, five)
            with where.agent() as agent:
                spent = where.until_synced(1000, commit)
                first = where.until_quiet(audit)
                memory, most = agent.memory(), agent.memory("VmHWM")
                what = "1,000 Applications with 5 objects each, all of them Synced and Healthy: resident memory"
                yield Row("b", what, f"{memory:.0f} MiB, at most {most:.0f}", "≤ 128 MiB", memory <= 128)
                yield Row("b", "first install", f"{spent:.0f} s, CPU {agent.cpu():.1f} s")
                yield Row("b", "requests for that", f"{len(first)}: {told(first)}")
            yield from self._restart(where, "b", 1000)

    def first_apply(self) -> Iterable[Row]:
        """1,000 new objects: the agent, the bare requests, kubectl, in turn."""
        ours, bare, theirs, whole = [], [], [], []
        with place(self._scratch / "c") as where, where.agent() as agent:
            where.repository.write("apps/thousand/all.yaml", [config_map(f"settings-{n}") for n in range(1000)])
            where.repository.commit()
            cpu = []
            for number in range(self._repeat + 1):
                before = agent.cpu()
                audit = Audit(where.plane.audit_log)
                defined = self._by_agent(where, number)
                began, ended = _sync(audit)
                one, spent = ended - began, ended - defined
                used = agent.cpu() - before
                two = self._by_probe(where, number)
                three = self._by_kubectl(where, number)
                print(f"  agent {one:.2f} probe {two:.2f} kubectl {three:.2f}", file=sys.stderr, flush=True)
                if number:  # the first round warms everybody up
                    ours.append(one), bare.append(two), theirs.append(three), whole.append(spent), cpu.append(used)
        ratio, faster = _ratio(ours, bare), _ratio(theirs, ours)
        yield Row("c", "1,000 new objects: the agent's sync", _seconds(ours))
        yield Row("c", "the same requests, bare, over eight connections", _seconds(bare))
        yield Row("c", "`kubectl apply --server-side` of the same", _seconds(theirs))
        yield Row("c", "the agent against the bare requests", f"{ratio:.2f} times", "≤ 1.3 times", ratio <= 1.3)
        yield Row("c", "kubectl against the agent", f"{faster:.2f} times", "≥ 2 times", faster >= 2)
        yield Row(
            "c",
            "from the new Application to its Synced, rendering included",
            f"{_seconds(whole)}, CPU {statistics.median(cpu):.2f} s",
        )

    def _by_agent(self, where: Place, number: int) -> float:
        """Have 1,000 objects made; the moment when their Application was."""
        space = where.namespace(f"agent-{number}")
        begun = time.time()
        where.define(f"thousand-{number}", space, path="apps/thousand")
        path = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/applications/thousand-{number}"
        while True:
            status = where.plane.request("GET", path).get("status", {})
            if (status.get("operationState") or {}).get("phase") in ("Succeeded", "Failed", "Error"):
                break
            time.sleep(0.5)  # the whole status is sent each time
        if status["operationState"]["phase"] != "Succeeded":
            raise SystemExit(status["operationState"]["message"])
        return begun

    def _by_probe(self, where: Place, number: int) -> float:
        space = where.namespace(f"probe-{number}")
        bodies = [_stamped(config_map(f"settings-{n}"), space) for n in range(1000)]
        return probe(
            where.plane,
            where.token,
            [(f"/api/v1/namespaces/{space}/configmaps/{b['metadata']['name']}", b) for b in bodies],
        )

    def _by_kubectl(self, where: Place, number: int) -> float:
        space = where.namespace(f"kubectl-{number}")
        file = where.repository.work / "apps/thousand/all.yaml"
        command = [
            str(tools.installed_directory() / "kubectl"), "apply", "--server-side", "--kubeconfig",
            str(where.kubeconfig), "-n", space, "-f", str(file),
        ]  # fmt: skip
        environment = {"PATH": os.environ["PATH"], "HOME": str(where.directory)}
        return timed(lambda: subprocess.run(command, check=True, capture_output=True, env=environment))

    def drift(self) -> Iterable[Row]:
        """50 objects, each tampered with in one of many ways: how long until each is as Git says."""
        with place(self._scratch / "d") as where:
            space, many = where.namespace("shop"), where.namespace("many")
            kinds = [deployment(f"api-{n}", 1) for n in range(30)]
            kinds += [service(f"api-{n}") for n in range(10)]
            kinds += [config_map(f"api-{n}") for n in range(10)]
            kinds += [config_map(f"other-{n}") for n in range(150)]
            where.repository.write("apps/shop/all.yaml", kinds)
            names = [f"app-{n:02d}" for n in range(50)]
            for name in names:
                where.repository.write(f"apps/{name}/all.yaml", five(name))
            commit = where.repository.commit()
            where.define("shop", space)
            for name in names:
                where.define(name, many)
            audit = Audit(where.plane.audit_log)
            with where.agent():
                where.until_synced(51, commit)
                where.until_quiet(audit, 12.0)
                in_turn = self._in_turn(where, _tampering(space))
                where.until_quiet(audit)
                # What was healed just now is healed with a pause: the burst is of other objects.
                deployments = f"/apis/apps/v1/namespaces/{many}/deployments"
                ways = (_image, _env, _unlabel, _scale, _container)
                spread = {name: (f"{deployments}/{name}", ways[n % 5]) for n, name in enumerate(names)}
                at_once = self._at_once(where, spread)
                where.until_quiet(audit)
                others = {
                    f"ConfigMap {n}": (f"/api/v1/namespaces/{space}/configmaps/other-{n}", _edit if n % 2 else _key)
                    for n in range(50)
                }
                together = self._at_once(where, others)
        yield from _healed("50 objects of 200 tampered with in 9 ways, one after another", in_turn)
        yield from _healed("50 Applications, an object of each tampered with within seconds", at_once)
        yield from _healed("50 objects of one Application tampered with within seconds", together)

    def _in_turn(self, where: Place, ways: _Ways) -> list[float | None]:
        """Tamper with one object after another; the seconds until each was healed, None for one that was not."""
        return [self._at_once(where, {name: way})[0] for name, way in ways.items()]

    def _at_once(self, where: Place, ways: _Ways) -> list[float | None]:
        """Tamper with all of them as fast as it goes; the seconds until each was healed, None for one that was not."""
        before = {path: _wanted_part(where.plane.request("GET", path)) for path, _ in ways.values()}
        began: dict[str, float] = {}
        for path, tamper in ways.values():
            tamper(where, path)
            began[path] = time.monotonic()
        healed: dict[str, float] = {}
        while len(healed) < len(began) and time.monotonic() < max(began.values()) + 30:
            for path in began.keys() - healed.keys():
                body = exists(where.plane, path)
                if body is not None and _wanted_part(body) == before[path]:
                    healed[path] = time.monotonic() - began[path]
        for path in began.keys() - healed.keys():
            print(f"  not healed: {path}", file=sys.stderr)
        return [healed.get(path) for path in began]


def _healed(what: str, times: Sequence[float | None]) -> Iterable[Row]:
    found = [each for each in times if each is not None]
    yield Row("d", f"{what}: found and healed", f"{len(found)} of {len(times)}", "all", len(found) == len(times))
    worst = _quantile(found, 95)
    value = f"{worst:.2f} s (median {statistics.median(found):.2f} s)"
    yield Row("d", "until each is as Git says, 95th percentile", value, "≤ 5 s", worst <= 5)


def _stamped(body: Body, space: str) -> Body:
    """The object with what an inventory costs: the same bytes as the agent's."""
    labels = {**body["metadata"]["labels"], "applyset.kubernetes.io/part-of": "applyset-" + "x" * 43 + "-v1"}
    tracking = {"argocd.argoproj.io/tracking-id": f"thousand-0:/ConfigMap:{space}/{body['metadata']['name']}"}
    metadata = {**body["metadata"], "labels": labels, "namespace": space, "annotations": tracking}
    return {**body, "metadata": metadata}


def _sync(audit: Audit) -> tuple[float, float]:
    """The moments of the first thing that the agent asked about the objects, and of the status that says Succeeded."""
    found: list[Request] = []
    end = time.monotonic() + 5
    while True:
        found += audit.new()  # a line may come after the answer
        applied = [each for each in found if each.resource == "configmaps" and each.verb == "patch"]
        last = max((each.ended for each in applied), default="")
        told_of = [each.ended for each in found if each.resource == "applications" and each.verb == "patch"]
        if len(applied) == 1000 and max(told_of) > last:
            break
        if time.monotonic() > end or any(each.code != 201 for each in applied):
            raise SystemExit(f"expected 1,000 new objects, got {told(found)}")
        time.sleep(0.1)
    asked = [each.began for each in found if each.resource in ("configmaps", "applications") and each.verb != "watch"]
    return _moment(min(asked)), _moment(min(each for each in told_of if each > last))


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _wanted_part(body: Body) -> str:
    metadata = {name: body["metadata"].get(name) for name in ("labels",)}
    return json.dumps([metadata, body.get("spec"), body.get("data")], sort_keys=True)


# -- tampering --------------------------------------------------------------------------------------------------------


def _tampering(space: str) -> _Ways:
    """50 objects with what is done to each."""
    deployments, rest = f"/apis/apps/v1/namespaces/{space}/deployments", f"/api/v1/namespaces/{space}"
    ways = {"patch": _scale, "label removed": _unlabel, "image": _image, "env by a person": _env, "deleted": _delete,
            "container by a person": _container}  # fmt: skip
    found: dict[str, tuple[str, Callable[[Place, str], None]]] = {}
    for number in range(30):
        way = list(ways)[number % 6]
        found[f"Deployment {number}: {way}"] = (f"{deployments}/api-{number}", ways[way])
    for number in range(10):
        found[f"Service {number}: a port removed"] = (f"{rest}/services/api-{number}", _unport)
    for number in range(10):
        way = _edit if number % 2 else _key
        found[f"ConfigMap {number}"] = (f"{rest}/configmaps/api-{number}", way)
    return found


def _merge(where: Place, path: str, change: Body, manager: str = "kubectl-patch") -> None:
    where.plane.request("PATCH", f"{path}?fieldManager={manager}", change, content_type="application/merge-patch+json")


def _strategic(where: Place, path: str, containers: Sequence[Body], manager: str) -> None:
    change = {"spec": {"template": {"spec": {"containers": list(containers)}}}}
    kind = "application/strategic-merge-patch+json"
    where.plane.request("PATCH", f"{path}?fieldManager={manager}", change, content_type=kind)


def _scale(where: Place, path: str) -> None:
    _merge(where, f"{path}/scale", {"spec": {"replicas": 3}})


def _unlabel(where: Place, path: str) -> None:
    _merge(where, path, {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}}, "kubectl-label")


def _image(where: Place, path: str) -> None:
    _strategic(where, path, [{"name": "api", "image": "ghcr.io/acme/api:hacked"}], "kubectl-set")


def _env(where: Place, path: str) -> None:
    _strategic(where, path, [{"name": "api", "env": [{"name": "DEBUG", "value": "1"}]}], "kubectl-edit")


def _container(where: Place, path: str) -> None:
    _strategic(where, path, [{"name": "shell", "image": "busybox"}], "kubectl-edit")


def _delete(where: Place, path: str) -> None:
    where.plane.request("DELETE", path)


def _unport(where: Place, path: str) -> None:
    change = [{"op": "remove", "path": "/spec/ports/1"}]
    where.plane.request(
        "PATCH", f"{path}?fieldManager=kubectl-patch", change, content_type="application/json-patch+json"
    )


def _edit(where: Place, path: str) -> None:
    _merge(where, path, {"data": {"THRESHOLD": "0.9"}}, "kubectl-edit")


def _key(where: Place, path: str) -> None:
    _merge(where, path, {"data": {"ADDED": "by hand"}}, "kubectl-edit")


# -- the table --------------------------------------------------------------------------------------------------------


def _seconds(costs: Sequence[float]) -> str:
    return f"{statistics.median(costs):.2f} s ({min(costs):.2f} to {max(costs):.2f})"


def _ratio(one: Sequence[float], other: Sequence[float]) -> float:
    """The median of the ratios of runs that followed each other."""
    return statistics.median(a / b for a, b in zip(one, other, strict=True))


def _quantile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def table(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| | what | measured | target | met |", "|---|---|---|---|---|"]
    for row in rows:
        met = "" if row.met is None else "yes" if row.met else "**no**"
        lines.append(f"| {row.case} | {row.what} | {row.value} | {row.target} | {met} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="a,b,c,d", help="which cases, by letter (default: all)")
    parser.add_argument("--repeat", type=int, default=5, help="rounds of case c (default: 5)")
    given = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="agent-bench-") as scratch:
        bench = Bench(Path(scratch), given.repeat)
        cases = {"a": bench.unchanged, "b": bench.many, "c": bench.first_apply, "d": bench.drift}
        for letter in given.only.split(","):
            for row in cases[letter.strip()]():
                rows.append(row)
                print(table([row]).splitlines()[-1], file=sys.stderr, flush=True)
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{table(rows)}\n\nLoad averages at the end: {load}; {os.cpu_count()} cores.")


if __name__ == "__main__":
    main()
