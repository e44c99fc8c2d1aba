"""The bare tools: what a person gets who checks a commit out and runs helm and kustomize by hand.

Nothing of gitops-bot is used to render, read or compare here. Its target list says *what* is rendered (a chart with a
value file, an overlay, a directory, an Application); how is written down in ``docs/reference/rendering.md``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from gitops_bot.model.application import HelmOptions, Source
from gitops_bot.model.target import Target

KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_GIT = shutil.which("git") or "git"
_HOOKS_NEVER_APPLIED = {"test", "test-success", "test-failure", "rollback", "pre-rollback", "post-rollback", "Skip"}
_OTHER_TOOLS = ("kustomize.config.k8s.io", "kind.x-k8s.io", "skaffold/", "k3d.io", "ctlptl.dev", "config.gitops-bot")


class Unjudged(Exception):
    """The bare tools cannot say what this target is: a plugin, jsonnet, sources from elsewhere."""


class Result(NamedTuple):
    """What the bare tools made of one target."""

    output: bytes = b""
    error: str = ""
    """The tool's own words when it failed."""
    judged: bool = True
    """False where there is no bare command to compare with; ``error`` says why."""


class Key(NamedTuple):
    """What tells objects of one target apart; the namespace is as written."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return "/".join(part for part in (f"{self.kind}.{self.group}".rstrip("."), self.namespace, self.name) if part)


# -- checking out -----------------------------------------------------------------------------------------------------


def checkout(repository: str, commit: str, directory: Path) -> None:
    """Write all files of a commit below a directory, as ``git archive`` gives them."""
    directory.mkdir(parents=True)
    git = subprocess.Popen([_GIT, "-C", repository, "archive", "--format=tar", commit], stdout=subprocess.PIPE)
    subprocess.run(["tar", "-x", "-C", str(directory)], stdin=git.stdout, check=True)
    if git.wait() != 0:
        raise SystemExit(f"git archive {commit} failed in {repository}")


# -- rendering --------------------------------------------------------------------------------------------------------


def render_all(checkout_: Path, targets: Iterable[Target], own: frozenset[str], jobs: int) -> dict[str, Result]:
    """Render every target of a checkout with the bare tools, ``jobs`` at a time."""
    wanted = list(targets)
    with tempfile.TemporaryDirectory(prefix="bare-home-") as home, ThreadPoolExecutor(jobs) as pool:
        results = pool.map(lambda target: _render(target, checkout_, own, home), wanted)
        return {target.id: result for target, result in zip(wanted, results, strict=True)}


def _render(target: Target, root: Path, own: frozenset[str], home: str) -> Result:
    streams = []
    try:
        for source in target.sources:
            if source.path is None and not source.chart:
                continue
            if source.chart or (source.repo_url and plain_url(source.repo_url) not in own):
                raise Unjudged("its source lies elsewhere")
            streams.append(_source(target, source, root, home))
    except Unjudged as reason:
        return Result(error=str(reason), judged=False)
    except (subprocess.CalledProcessError, OSError) as error:
        told = getattr(error, "stderr", b"") or str(error).encode()
        return Result(error=told.decode("utf-8", "replace").strip()[-400:])
    return Result(output=b"\n---\n".join(streams))


def _source(target: Target, source: Source, root: Path, home: str) -> bytes:
    place = root / (source.path or "").strip("/")
    if source.plugin is not None or (source.directory is not None and source.directory.jsonnet):
        raise Unjudged("a plugin or jsonnet")
    kustomize = any((place / name).is_file() for name in KUSTOMIZATIONS)
    if source.helm is not None or (place / "Chart.yaml").is_file():
        return _helm(target, source, place, root, home)
    if source.kustomize is not None or (kustomize and source.directory is None):
        return _kustomize(source, place, home)
    return _directory(source, place)


def _helm(target: Target, source: Source, place: Path, root: Path, home: str) -> bytes:
    helm = source.helm or HelmOptions()
    name = helm.release_name or (target.name if target.application else place.name)
    argv = ["helm", "template", name, "."]
    if namespace := helm.namespace or target.namespace:
        argv += ["--namespace", namespace]
    for file in _value_files(helm, place, root):
        argv += ["--values", file]
    argv += _sets(helm)
    if not helm.skip_crds:
        argv += ["--include-crds"]
    inline = helm.values if helm.values_object is None else json.dumps(helm.values_object)
    if inline:
        argv += ["--values", "-"]
    stdin = (inline or "").encode()
    try:
        return bare(argv, place, home, stdin)
    except subprocess.CalledProcessError as error:
        if b"missing in charts/" not in error.stderr:
            raise
    bare(["helm", "dependency", "build"], place, home)
    return bare(argv, place, home, stdin)


def _value_files(helm: HelmOptions, place: Path, root: Path) -> list[str]:
    if helm.file_parameters or any("*" in file or file.startswith("$") for file in helm.value_files):
        raise Unjudged("globs, references or file parameters")
    files = [str(root / file[1:]) if file.startswith("/") else file for file in helm.value_files]
    return [file for file in files if not helm.ignore_missing_value_files or (place / file).exists()]


def _sets(helm: HelmOptions) -> list[str]:
    argv: list[str] = []
    for parameter in helm.parameters:
        if "," in parameter.value or "$" in parameter.value:
            raise Unjudged("a parameter that needs rewriting")
        argv += ["--set-string" if parameter.force_string else "--set", f"{parameter.name}={parameter.value}"]
    if helm.kube_version:
        argv += ["--kube-version", helm.kube_version]
    for version in helm.api_versions:
        argv += ["--api-versions", version]
    return argv


def _kustomize(source: Source, place: Path, home: str) -> bytes:
    options = source.kustomize
    if options is not None and options != type(options)():
        raise Unjudged("options that are written into the kustomization")
    return bare(["kustomize", "build", "."], place, home)


def _directory(source: Source, place: Path) -> bytes:
    """The files of a directory with manifests in them, one after another."""
    options = source.directory
    if options is not None and (options.recurse or options.exclude):
        raise Unjudged("recursive directories or those with excluded files")
    if not place.is_dir():
        raise OSError(f"{place.name} is no directory")
    if any(file.suffix in (".jsonnet", ".libsonnet") for file in place.iterdir()):
        raise Unjudged("jsonnet")
    streams = []
    for file in sorted(place.iterdir()):
        if not file.is_file() or file.is_symlink() or file.suffix not in (".yaml", ".yml", ".json"):
            continue
        content = file.read_bytes()
        if re.search(rb"^[ \t]*(?:- )?\{\{", content, re.M):
            continue
        try:
            found = list(yaml.load_all(content, Loader))
        except yaml.YAMLError:
            continue
        if any(_is_object(each) for each in found):
            streams.append(content)
    return b"\n---\n".join(streams)


def _is_object(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("apiVersion"), str) or not value.get("kind"):
        return False
    return not value["apiVersion"].startswith(_OTHER_TOOLS)


def bare(argv: list[str], place: Path, home: str, stdin: bytes = b"") -> bytes:
    """Run a tool where it stands; what it would fetch finds no network, no git and no home of ours."""
    program = shutil.which(argv[0])
    if program is None:
        raise SystemExit(f"{argv[0]} is not on PATH")
    environment = {"HOME": home, "PATH": "", "LC_ALL": "C", "TZ": "UTC", "KUBECONFIG": "", "GOGC": "400"}
    dead = "http://127.0.0.1:9"
    environment |= dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), dead)
    ended = subprocess.run(
        [program, *argv[1:]], cwd=place, env=environment, input=stdin, capture_output=True, check=True, timeout=300
    )
    return ended.stdout


def plain_url(url: str) -> str:
    """A repository URL in one form of its several."""
    return url.removesuffix("/").removesuffix(".git").lower()


# -- reading ----------------------------------------------------------------------------------------------------------


class Loader(yaml.CSafeLoader):
    """PyYAML's own reader, with dates left as text as Kubernetes reads them, and a lone ``=`` as text."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_constructor("tag:yaml.org,2002:value", lambda _loader, node: node.value)


def objects(stream: bytes) -> tuple[dict[Key, Any], int]:
    """The objects of a stream by key, the last of several with one key, and how many hooks are never applied."""
    found: dict[Key, Any] = {}
    hooks = 0
    for document in yaml.load_all(stream, Loader):
        for body in _expanded(document):
            if _never_applied(body):
                hooks += 1
            else:
                found[_key(body)] = body
    return found, hooks


def _expanded(value: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(value, dict) or not value.get("kind"):
        return
    if value["kind"].endswith("List") and isinstance(value.get("items"), list):
        for item in value["items"]:
            yield from _expanded(item)
    elif isinstance(value.get("metadata"), dict):
        yield value


def _key(body: Mapping[str, Any]) -> Key:
    metadata = body["metadata"]
    name = metadata.get("name") or f"{metadata.get('generateName')}*"
    return Key(body["apiVersion"].rpartition("/")[0], body["kind"], str(metadata.get("namespace") or ""), str(name))


def _never_applied(body: Mapping[str, Any]) -> bool:
    annotations = body["metadata"].get("annotations") or {}
    hook = annotations.get("argocd.argoproj.io/hook") or annotations.get("helm.sh/hook")
    phases = {phase.strip() for phase in str(hook).split(",")} if hook else set()
    return bool(phases) and phases <= _HOOKS_NEVER_APPLIED and "crd-install" not in phases


def same(first: Any, second: Any) -> bool:
    """Whether two values are the same data: ``1`` is neither ``true`` nor ``1.0``, the order of keys is nothing."""
    return canonical(first) == canonical(second)


def same_objects(first: Mapping[Key, Any], second: Mapping[Key, Any]) -> bool:
    """Whether two renders have the same objects."""
    return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)


def canonical(value: Any) -> str:
    """One text for one value."""
    if isinstance(value, dict):
        items = sorted((canonical(key), canonical(item)) for key, item in value.items())
        return "{" + ",".join(f"{key}:{item}" for key, item in items) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    return json.dumps(value, default=repr)


# -- what the API server does not tell apart --------------------------------------------------------------------------

_SUFFIX = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
           "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}  # fmt: skip
_BY_KEY = ("name", "containerPort", "port", "mountPath", "devicePath", "ip", "key", "uid", "type", "topologyKey")


def server_view(value: Any, field: str = "", inside: str = "") -> Any:
    """A value as the API server would store it, roughly: an equality here makes a difference of texts harmless."""
    if isinstance(value, dict):
        kept = {key: server_view(item, str(key), field) for key, item in value.items() if item is not None}
        if field == "ports":
            kept.setdefault("protocol", "TCP")
        kept = {key: item for key, item in kept.items() if item != {}}
        if isinstance(kept.get("stringData"), dict):
            import base64

            texts = kept.pop("stringData")
            kept["data"] = {
                **kept.get("data", {}),
                **{key: base64.b64encode(str(text).encode()).decode() for key, text in texts.items()},
            }
        return kept
    if isinstance(value, list):
        items = [server_view(item, field, inside) for item in value]
        keyed = all(isinstance(item, dict) and any(name in item for name in _BY_KEY) for item in items)
        if field == "finalizers" or (keyed and field not in ("initContainers", "env", "rules")):
            items = sorted(items, key=canonical)
        return items
    if inside in ("requests", "limits", "hard", "capacity") or field in ("sizeLimit", "storage", "cpu", "memory"):
        return _quantity(value)
    return value


def _quantity(value: Any) -> Any:
    match = re.fullmatch(r"([+-]?[0-9.]+)([A-Za-z]*)", str(value)) if not isinstance(value, bool) else None
    if match is None or match[2] not in _SUFFIX or match[1].count(".") > 1:
        return value
    return round(float(match[1]) * _SUFFIX[match[2]], 9)


def is_program(name: str) -> bool:
    """Whether a tool can be run here."""
    found = shutil.which(name)
    return found is not None and os.access(found, os.X_OK)
