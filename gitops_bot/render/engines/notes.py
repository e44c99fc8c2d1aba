"""What must be said of a prepared render: why it may differ from itself, and what renders as it stands."""

from __future__ import annotations

import io
import posixpath
import re
import tarfile
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from gitops_bot.errors import RenderError
from gitops_bot.model.tree import Tree
from gitops_bot.render.prepared import InputFile, Prepared

_COMMENT = re.compile(r"\{\{-?\s*/\*.*?\*/\s*-?\}\}", re.DOTALL)
_ACTION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_TEXT = re.compile(r"\"(?:\\.|[^\"\\])*\"|`[^`]*`", re.DOTALL)
_RANDOM = re.compile(
    r"(?<![\w.$/-])(rand(?:AlphaNum|Alpha|Ascii|Numeric|Int|Bytes)|gen(?:PrivateKey|CA|CAWithKey|SelfSignedCert|"
    r"SelfSignedCertWithKey|SignedCert|SignedCertWithKey)|uuidv4|now|ago|htpasswd|bcrypt|encryptAES|shuffle|lookup|"
    r"getHostByName)(?![\w-])"
)
"""Template functions whose result is not the same every time, or depends on a cluster or network."""
_QUICK = re.compile(rb"rand|gen|uuidv4|now|ago|htpasswd|bcrypt|encryptAES|shuffle|lookup|getHostByName")
_SOPS = re.compile(rb"^sops:[ \t]*$|ENC\[AES256_GCM,data:|\"sops\":[ \t]*\{", re.M)
_VAULT = re.compile(rb"<path:[^>\s]+#[^>\s]+>|ref\+[a-z0-9]+://|\bavp\.kubernetes\.io/path\b")
_ARCHIVE_LIMIT = 100 * 1024 * 1024
"""Bytes an archived chart may have when unpacked."""
_KEPT = 50_000
_SEEN: dict[tuple[str, str], _Finding] = {}


class _Finding(NamedTuple):
    """What one file says; the same content is read once in a run."""

    random: tuple[str, ...] = ()
    sops: bool = False
    vault: bool = False
    outside: str = ""
    """A ``$ref`` of a values schema that leads out of it."""


def inspect(prepared: Prepared) -> Prepared:
    """The same render with ``unstable`` and ``warnings`` filled from the content of its files.

    Reads every file that was not read before in this run; a directory's files are looked at for secrets only.
    Raises RenderError for a values schema that refers to a file or URL outside of itself.
    """
    functions: dict[str, None] = {}
    warnings = list(prepared.warnings)
    checked = "--skip-schema-validation" not in prepared.arguments
    for file, finding in _findings(prepared):
        shown = file.path.partition("/")[2]
        if finding.outside and checked:
            raise RenderError(
                f"{shown} refers to {finding.outside}, which is outside of it",
                hint="inline it, or set spec.source.helm.skipSchemaValidation",
            )
        functions.update(dict.fromkeys(finding.random))
        if "lookup" in finding.random:
            warnings.append(f"{shown} asks the cluster (lookup), which answers nothing here")
        if finding.sops:
            warnings.append(f"{shown} is encrypted with SOPS and renders as it stands")
        if finding.vault:
            warnings.append(f"{shown} holds vault placeholders, which render as they stand")
    unstable = f"its templates use {', '.join(sorted(functions))}" if functions else ""
    return msgspec.structs.replace(prepared, warnings=tuple(dict.fromkeys(warnings)), unstable=unstable)


def _findings(prepared: Prepared) -> Iterator[tuple[InputFile, _Finding]]:
    helm = prepared.renderer == "helm" or prepared.needs_helm
    roles = [(file, _role(file.path, helm=helm)) for file in prepared.files if not file.link]
    missing: dict[int, tuple[Tree, dict[str, None]]] = {}
    for file, role in roles:
        if file.tree is not None and (file.oid, role) not in _SEEN:
            missing.setdefault(id(file.tree), (file.tree, {}))[1][file.oid] = None
    blobs: dict[str, bytes] = {}
    for tree, oids in missing.values():
        blobs.update(tree.blobs(oids))
    if len(_SEEN) > _KEPT:
        _SEEN.clear()
    for file, role in roles:
        if file.tree is None:
            yield file, _read(file.content, role)
            continue
        found = _SEEN.get((file.oid, role))
        if found is None:
            content = blobs[file.oid] if file.oid in blobs else file.tree.blobs([file.oid])[file.oid]
            found = _SEEN[file.oid, role] = _read(content, role)
        yield file, found


def _role(path: str, *, helm: bool) -> str:
    """How a file is read: ``template``, ``schema`` and ``archive`` of a chart, or ``plain``."""
    name = posixpath.basename(path)
    if helm and name == "values.schema.json":
        return "schema"
    if helm and "/templates/" in path:
        return "template"
    return "archive" if helm and name.endswith(".tgz") and "/charts/" in path else "plain"


def _read(content: bytes, role: str) -> _Finding:
    if role == "archive":
        return _archived(content)
    if role == "schema":
        return _Finding(outside=_outside(content))
    return _Finding(
        random=_functions(content) if role == "template" else (),
        sops=bool(_SOPS.search(content)) if b"sops" in content or b"ENC[" in content else False,
        vault=bool(_VAULT.search(content))
        if b"<path:" in content or b"ref+" in content or b"avp" in content
        else False,
    )


def _functions(content: bytes) -> tuple[str, ...]:
    """The changing functions that a template's actions call; comments, texts and what is outside do not count."""
    if not _QUICK.search(content):
        return ()
    text = content.decode("utf-8", "replace")
    found: dict[str, None] = {}
    for action in _ACTION.finditer(_COMMENT.sub("", text)):
        found.update(dict.fromkeys(_RANDOM.findall(_TEXT.sub('""', action.group(1)))))
    return tuple(sorted(found))


def _outside(content: bytes) -> str:
    """The first ``$ref`` of a JSON schema that is not inside of it, ``""`` when there is none."""
    if b"$ref" not in content and b"\\u" not in content:
        return ""
    try:
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError):
        return ""
    todo: list[Any] = [document]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            for key, item in value.items():
                if key in ("$ref", "$dynamicRef") and isinstance(item, str) and not item.startswith("#"):
                    return item
                todo.append(item)
        elif isinstance(value, list):
            todo.extend(value)
    return ""


def _archived(content: bytes) -> _Finding:
    """The same of a chart in an archive. Raises RenderError for an archive that cannot or must not be unpacked."""
    random: dict[str, None] = {}
    outside, size = "", 0
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            for member in archive:
                size += member.size
                if size > _ARCHIVE_LIMIT:
                    raise RenderError(f"an archived chart unpacks to more than {_ARCHIVE_LIMIT >> 20} MiB")
                if member.name.startswith("/") or ".." in member.name.split("/"):
                    raise RenderError(f"an archived chart holds the path {member.name}")
                role = _role(f"/{member.name}", helm=True)
                if member.isfile() and role in ("template", "schema"):
                    file = archive.extractfile(member)
                    found = _read(file.read() if file else b"", role)
                    random.update(dict.fromkeys(found.random))
                    outside = outside or found.outside
    except (tarfile.TarError, OSError, EOFError):
        return _Finding()
    return _Finding(random=tuple(sorted(random)), outside=outside)
