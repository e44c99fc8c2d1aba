"""What watches cost: the first state of a kind by list or by stream, and many kinds while nothing changes.

    PYTHONPATH=. .venv/bin/python benchmarks/watches.py [--objects N] [--kinds N] [--idle SECONDS] [--repeat N]

Starts the control plane of the tests. The ways work in turn, round by round, each in a process of its own with the
rights that ``deploy/`` gives the agent; CPU is theirs, and that of the API server.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import selectors
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from gitops_bot.doors.cluster.connect import connect
from gitops_bot.doors.cluster.kinds import Kind
from gitops_bot.doors.cluster.objects import METADATA, Objects
from gitops_bot.doors.cluster.requests import Requests
from gitops_bot.doors.cluster.watch import Chosen, Snapshot, Watcher
from tests.controlplane.install import install
from tests.controlplane.plane import ControlPlane, control_plane
from tests.controlplane.programs import find_programs

_TICK = os.sysconf("SC_CLK_TCK")
_LABEL = "gitops-bot.bench/listed"
_GROUP = "bench.example.org"
_WATCH = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": "290"}


# -- the ways, each in a process of its own ---------------------------------------------------------------------------


def listed(objects: Objects) -> int:
    """The first state by a list in pages, as the agent asks for it."""
    return len(objects.list(_config_maps(objects), selector=_LABEL, kept=_kept).items)


def streamed(objects: Objects) -> int:
    """The same by a watch that begins with what there is."""
    query = {**_WATCH, "labelSelector": _LABEL, "sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
    path = _config_maps(objects).path()
    found = []
    for event in _lines(objects.requests.stream(path, query, accept=METADATA, idle=60).stream(65536)):
        metadata = event["object"]["metadata"]
        if event["type"] != "BOOKMARK":
            found.append(_kept(event["object"]))
        elif (metadata.get("annotations") or {}).get("k8s.io/initial-events-end"):
            break
    return len(found)


def watcher(objects: Objects) -> int:
    """All kinds of the benchmark watched as the agent watches them."""
    told = threading.Semaphore(0)
    made = Watcher(objects, Chosen(), lambda each: told.release() if isinstance(each, Snapshot) else None)
    kinds = _kinds(objects)
    for kind in kinds:
        made.watch(kind)
    for _ in kinds:
        told.acquire()
    return len(kinds)


def threads(objects: Objects) -> int:
    """Only their streams, each read by a thread."""
    streams = _streams(objects)
    for each in streams:
        threading.Thread(target=_read, args=(each,), daemon=True).start()
    return len(streams)


def selector(objects: Objects) -> int:
    """Only their streams, all of them read by one thread."""
    streams, ready = _streams(objects), selectors.DefaultSelector()
    for each in streams:
        each.setblocking(False)
        ready.register(each, selectors.EVENT_READ)

    def loop() -> None:
        while True:
            for key, _ in ready.select():
                with suppress(ssl.SSLWantReadError):
                    while key.fileobj.recv(65536):  # type: ignore[union-attr]
                        pass

    threading.Thread(target=loop, daemon=True).start()
    return len(streams)


WAYS: dict[str, Callable[[Objects], int]] = {
    each.__name__: each for each in (listed, streamed, watcher, threads, selector)
}


def _config_maps(objects: Objects) -> Kind:
    found = objects.kinds.preferred("", "ConfigMap")
    assert found is not None
    return found


def _kinds(objects: Objects) -> list[Kind]:
    return [kind for kind in objects.kinds if kind.group == _GROUP]


def _kept(body: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": body["metadata"]}


def _lines(chunks: Iterator[bytes]) -> Iterator[Any]:
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from map(msgspec.json.decode, filter(None, lines))


def _streams(objects: Objects) -> list[ssl.SSLSocket]:
    """A TLS connection for each kind, with its watch."""
    connection, kinds = objects.requests._connection, _kinds(objects)  # noqa: SLF001
    version = objects.list(kinds[0]).version
    _OPEN.extend(connection.wires._opened(10) for _ in kinds)  # noqa: SLF001
    for kind, each in zip(kinds, _OPEN, strict=True):
        query = "&".join(f"{name}={value}" for name, value in {**_WATCH, "resourceVersion": version}.items())
        headers = {"Host": "here", "Accept": METADATA, **connection.authorization()}
        lines = [f"GET {kind.path()}?{query} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        each.sock.settimeout(330)
        each.sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    return [each.sock for each in _OPEN]


_OPEN: list[Any] = []


def _read(stream: ssl.SSLSocket) -> None:
    while stream.recv(65536):
        pass


def _memory(which: str) -> int:
    """KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(which)).split()[1])


def child(way: str, kubeconfig: str, idle: float) -> None:
    """Work in one way, and print what it took."""
    objects = Objects(Requests(connect(kubeconfig)))
    objects.list(_config_maps(objects), "kube-system")  # everything is imported, and a connection is open
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    memory, began, cpu = _memory("VmRSS"), time.monotonic(), time.process_time()
    count = WAYS[way](objects)
    found = {"count": count, "s": time.monotonic() - began, "CPU s": time.process_time() - cpu}
    found["peak MiB"] = (_memory("VmHWM") - memory) / 1024
    if idle:
        time.sleep(2)
        gc.collect()
        found["KiB each"] = (_memory("VmRSS") - memory) / count
        cpu = time.process_time()
        time.sleep(idle)
        found["idle CPU ms a minute"] = (time.process_time() - cpu) * 60_000 / idle
    print(json.dumps(found), flush=True)
    os._exit(0)


# -- what they work on ------------------------------------------------------------------------------------------------


def prepare(plane: ControlPlane, objects: int, kinds: int) -> None:
    """Make ConfigMaps and definitions, as admin."""
    plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": "bench"}})

    def config(number: int) -> None:
        metadata = {"name": f"c-{number}", "labels": {_LABEL: "yes"}}
        body = {"metadata": metadata, "data": {"config.yaml": "x" * 1500}}
        plane.request("POST", "/api/v1/namespaces/bench/configmaps?fieldManager=gitops-bot", body)

    def definition(number: int) -> None:
        schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        names = {"kind": f"Tea{number}", "plural": f"tea{number}s"}
        plane.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
            "metadata": {"name": f"tea{number}s.{_GROUP}"},
            "spec": {"group": _GROUP, "scope": "Namespaced", "names": names,
                     "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}]},
        })  # fmt: skip

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(config, range(objects)))
        list(pool.map(definition, range(kinds)))
    time.sleep(10)  # until it serves them all


def run(ways: tuple[str, ...], plane: ControlPlane, kubeconfig: Path, idle: float, repeat: int) -> None:
    """Let the ways work in turn, and print the smallest, the middle and the largest of what they took."""
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for number in range(repeat):
        for way in (*ways[number % len(ways) :], *ways[: number % len(ways)]):
            cpu = _cpu_of(plane)
            command = [sys.executable, __file__, "--child", way, str(kubeconfig), "--idle", str(idle)]
            told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            found[way].append({**told, "server's CPU s": _cpu_of(plane) - cpu})
    for way, rounds in found.items():
        figures = {name: sorted(each[name] for each in rounds) for name in rounds[0]}
        told = (
            f"{name} {values[0]:.2f} / {statistics.median(values):.2f} / {values[-1]:.2f}"
            for name, values in figures.items()
        )
        print(f"{way}: {'; '.join(told)}", flush=True)


def _cpu_of(plane: ControlPlane) -> float:
    """Seconds that the API server has worked so far."""
    fields = Path(f"/proc/{plane.parts[1].process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--kinds", type=int, default=100)
    parser.add_argument("--idle", type=float, default=30.0)
    parser.add_argument("--repeat", type=int, default=12)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        way, kubeconfig = arguments.child
        child(way, kubeconfig, arguments.idle)
    programs = find_programs()
    if programs is None:
        parser.error("no control plane is built: tests/controlplane/build.sh")
    with tempfile.TemporaryDirectory(prefix="watches-") as folder:
        Path(folder, "plane").mkdir()
        with control_plane(programs, Path(folder, "plane")) as plane:
            account = install(plane, Path(folder, "agent.kubeconfig"))
            prepare(plane, arguments.objects, arguments.kinds)
            run(("listed", "streamed"), plane, account, 0, arguments.repeat)
            run(("watcher", "threads", "selector"), plane, account, arguments.idle, min(arguments.repeat, 3))


if __name__ == "__main__":
    main()
