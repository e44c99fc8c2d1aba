"""Documents as Kubernetes objects: identity, hooks, lists, and the namespace rules of Argo CD."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from gitops_bot.manifests import yaml
from gitops_bot.manifests.documents import Document
from gitops_bot.model.resource import ResourceKey

ARGO_HOOK = "argocd.argoproj.io/hook"
HELM_HOOK = "helm.sh/hook"
_NEVER_APPLIED = frozenset(
    ("test", "test-success", "test-failure", "rollback", "pre-rollback", "post-rollback", "Skip")
)
"""Helm's test and rollback hooks, which Argo CD drops, and Argo CD's own ``Skip``."""

CLUSTER_SCOPED = frozenset(
    {
        ("", "ComponentStatus"),
        ("", "Namespace"),
        ("", "Node"),
        ("", "PersistentVolume"),
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("apiregistration.k8s.io", "APIService"),
        ("certificates.k8s.io", "CertificateSigningRequest"),
        ("certificates.k8s.io", "ClusterTrustBundle"),
        ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
        ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
        ("internal.apiserver.k8s.io", "StorageVersion"),
        ("networking.k8s.io", "IPAddress"),
        ("networking.k8s.io", "IngressClass"),
        ("networking.k8s.io", "ServiceCIDR"),
        ("node.k8s.io", "RuntimeClass"),
        ("policy", "PodSecurityPolicy"),
        ("rbac.authorization.k8s.io", "ClusterRole"),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
        ("resource.k8s.io", "DeviceClass"),
        ("resource.k8s.io", "ResourceSlice"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("storage.k8s.io", "CSIDriver"),
        ("storage.k8s.io", "CSINode"),
        ("storage.k8s.io", "StorageClass"),
        ("storage.k8s.io", "VolumeAttachment"),
        ("storage.k8s.io", "VolumeAttributesClass"),
        ("storagemigration.k8s.io", "StorageVersionMigration"),
    }
)
"""Group and kind of the built-in kinds without a namespace (``kubectl api-resources --namespaced=false``, 1.36)."""


class Head(NamedTuple):
    """What tells an object apart, and decides whether it counts, without its content."""

    api_version: str
    kind: str
    namespace: str
    """As written; ``""`` when there is none."""
    name: str
    """``metadata.name``, or ``metadata.generateName`` followed by ``*``."""
    hook: str | None = None
    """The phases of a hook as written, None for an ordinary object."""
    applied: bool = True
    """False for hooks that are never applied: Helm's tests and rollbacks, ``Skip``."""
    defines: tuple[str, str, bool] | None = None
    """For a CustomResourceDefinition: group, kind, and whether it is cluster-scoped."""

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]

    def key(self, namespace: str, cluster_scoped: frozenset[tuple[str, str]]) -> ResourceKey:
        """The identity inside a target with this destination namespace."""
        scoped = (self.group, self.kind) in cluster_scoped
        return ResourceKey(self.group, self.kind, "" if scoped else self.namespace or namespace, self.name)


class Heads(NamedTuple):
    """The objects of one document."""

    heads: tuple[Head, ...]
    """In order; empty for a document without any."""
    strange: str = ""
    """What is wrong with a document that is no object, ``""`` when nothing is."""


def group_of(api_version: str) -> str:
    """The API group of ``apps/v1`` (``apps``) and ``v1`` (``""``)."""
    return api_version.rpartition("/")[0]


# -- from values --------------------------------------------------------------------------------------------------


def expand(values: list[Any]) -> tuple[list[dict[str, Any]], str]:
    """The objects in a document's values, lists expanded, and what is wrong with what is none (``""`` if nothing)."""
    objects: list[dict[str, Any]] = []
    strange = ""
    for value in values:
        if value is None or value in ({}, []):
            continue
        if isinstance(value, dict) and _is_list(value):
            for item in value["items"] or ():
                found, problem = expand([_typed_item(value, item)])
                objects += found
                strange = strange or problem
            continue
        problem = _problem(value)
        if problem:
            strange = strange or problem
        else:
            objects.append(value)
    return objects, strange


def _is_list(value: dict[str, Any]) -> bool:
    return (
        str(value.get("kind", "")).endswith("List")
        and "items" in value
        and (value["items"] is None or isinstance(value["items"], list))
    )


def _typed_item(parent: dict[str, Any], item: Any) -> Any:
    """An item of a typed list (``ConfigMapList``) may leave out its own kind."""
    kind = str(parent["kind"]).removesuffix("List")
    if isinstance(item, dict) and kind and "kind" not in item:
        return {"apiVersion": parent.get("apiVersion"), "kind": kind, **item}
    return item


def _problem(value: Any) -> str:
    if not isinstance(value, dict):
        return "is no mapping"
    for field in ("apiVersion", "kind"):
        if not isinstance(value.get(field), str) or not value[field]:
            return f"has no {field}"
    metadata = value.get("metadata")
    if not isinstance(metadata, dict) or not (_name(metadata)):
        return "has no metadata.name"
    return ""


def _name(metadata: dict[str, Any]) -> str:
    if metadata.get("name") not in (None, ""):
        return str(metadata["name"])
    return f"{metadata['generateName']}*" if metadata.get("generateName") else ""


def head_of(body: dict[str, Any]) -> Head:
    """The head of an object; it must be one that ``expand`` returned."""
    metadata = body["metadata"]
    annotations = metadata.get("annotations")
    hook = hook_of(annotations) if isinstance(annotations, dict) else None
    return Head(
        body["apiVersion"],
        body["kind"],
        str(metadata.get("namespace") or ""),
        _name(metadata),
        hook,
        hook is None or not _phases(hook) <= _NEVER_APPLIED,
        _definition(body) if body["kind"] == "CustomResourceDefinition" else None,
    )


def _phases(hook: str) -> set[str]:
    return {phase.strip() for phase in hook.split(",")}


def hook_of(annotations: Mapping[str, Any]) -> str | None:
    """The phases that make an object a hook, as written; Argo CD's annotation hides Helm's.

    Helm's ``crd-install`` makes an ordinary object (Argo CD's rule).
    """
    if annotations.get(ARGO_HOOK):
        return str(annotations[ARGO_HOOK])
    hook = annotations.get(HELM_HOOK)
    return str(hook) if hook and "crd-install" not in _phases(str(hook)) else None


def _definition(body: dict[str, Any]) -> tuple[str, str, bool] | None:
    spec = body.get("spec")
    names = spec.get("names") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(names, dict):
        return None
    return str(spec.get("group", "")), str(names.get("kind", "")), spec.get("scope") == "Cluster"


# -- from text ----------------------------------------------------------------------------------------------------

_MEMO_SIZE = 65_536
_memo: dict[bytes, Heads] = {}

_CHILD = re.compile(rb"^( +)([^\s:#'\"-][^\n:]*):(?:[ ]+([^\n]*?))?[ ]*\r?$", re.MULTILINE)
_VALUE = re.compile(rb"""(?:"([^"\\\n]*)"|'([^'\n]*)'|([A-Za-z][A-Za-z0-9._/-]*))[ ]*(?:[ ]#[^\n]*)?\r?""")
_NOT_PLAIN = re.compile(rb"[*&!{\t\\]|<<|^ *[?'\"]|/hook", re.MULTILINE)


def heads(document: Document) -> Heads:
    """The heads of a document's objects, read from its text where that is plain, else with the parser.

    Remembered by digest, so that a document that hundreds of targets share is looked at once.
    Raises YamlError, with the line within the document's text.
    """
    found = _memo.get(document.digest)
    if found is None:
        if len(_memo) >= _MEMO_SIZE:
            _memo.clear()
        found = _memo[document.digest] = _scan(document.text) or _parse(document.text)
    return found


def _parse(text: bytes) -> Heads:
    objects, strange = expand(yaml.load_all(text))
    return Heads(tuple(head_of(each) for each in objects), strange)


def _scan(text: bytes) -> Heads | None:
    """The head of a document in plain block style; None when a parser has to look.

    Only lines in the first column and the block of ``metadata`` are read; anything unusual there is for the parser.
    """
    if not text[:1].isalpha() or b"\n<<" in text:
        return None
    api_version, kind = _value(_top(text, b"apiVersion")), _value(_top(text, b"kind"))
    if not api_version or not kind or kind.endswith("List") or _top(text, b"metadata") not in (b"", b"\r"):
        return None
    start = text.find(b"\n", 0 if text.startswith(b"metadata:") else text.find(b"\nmetadata:") + 1) + 1
    block = _block(text, start)
    if _NOT_PLAIN.search(block):
        return None
    children = _children(block)
    if children is None:
        return None
    name = children.get(b"name", b"")
    namespace = children.get(b"namespace")
    plain_name, plain_namespace = _value(name), "" if namespace is None else _value(namespace)
    if not plain_name or plain_namespace is None:
        return None
    defines = None
    if kind == "CustomResourceDefinition":
        defines = _scan_definition(text)
        if defines is None:
            return None
    return Heads((Head(api_version, kind, plain_namespace, plain_name, None, True, defines),))


def _top(text: bytes, key: bytes) -> bytes | None:
    """What follows a key in the first column on its line; None unless it is there exactly once."""
    mark = key + b":"
    at = 0 if text.startswith(mark) else text.find(b"\n" + mark) + 1
    if (at == 0 and not text.startswith(mark)) or text.find(b"\n" + mark, at) >= 0:
        return None
    return text[at + len(mark) : text.find(b"\n", at)].strip(b" ")


def _value(text: bytes | None) -> str | None:
    """A plain or simply quoted text; None for anything that is not certainly a text."""
    match = _VALUE.fullmatch(text) if text else None
    if match is None:
        return None
    double, single, bare = match.groups()
    value = next(each for each in (double, single, bare) if each is not None).decode("utf-8", "replace")
    return None if bare is not None and not isinstance(yaml.resolve_plain(value), str) else value


def _block(text: bytes, start: int) -> bytes:
    """The indented (or blank) lines from ``start`` on."""
    end = start
    while end < len(text) and text[end : end + 1] in (b" ", b"\n", b"\r", b"#"):
        line_end = text.find(b"\n", end)
        end = len(text) if line_end < 0 else line_end + 1
    return text[start:end]


def _children(block: bytes) -> dict[bytes, bytes] | None:
    """The keys of a block's first level and what follows them on their lines; None when a key is there twice."""
    found: dict[bytes, bytes] = {}
    level = None
    for match in _CHILD.finditer(block):
        indent, key, value = match.groups()
        level = indent if level is None else level
        if len(indent) < len(level):
            return None
        if indent == level:
            if key in found:
                return None
            found[key] = value or b""
    return found


def _scan_definition(text: bytes) -> tuple[str, str, bool] | None:
    """Group, kind and scope of a CustomResourceDefinition whose ``spec`` is indented by two spaces."""
    at = text.find(b"\nspec:\n")
    if at < 0:
        return None
    found = []
    for mark in (b"\n  group: ", b"\n    kind: ", b"\n  scope: "):
        start = text.find(mark, at)
        if start < 0:
            return None
        value = _value(text[start + len(mark) : text.find(b"\n", start + 1)].strip(b" "))
        if not value:
            return None
        found.append(value)
    names = text.find(b"\n  names:\n", at)
    kind = text.find(b"\n    kind: ", at)
    between = text[names + len(b"\n  names:\n") - 1 : kind]
    if names < 0 or kind < names or re.search(rb"\n {0,3}[^ \n]", between):
        return None
    return found[0], found[1], found[2] == "Cluster"
