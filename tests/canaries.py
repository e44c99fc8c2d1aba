"""Canaries: secrets that no output may sing, planted where secrets hide, and the search for them afterwards.

    birds = Canaries()
    files = plant(birds, change="old")       # a repository: path → content; plant(birds, change="new") is its change
    …run the program…
    birds.assert_silent({"stdout": ended.stdout, "comment": body, **files_below(cache)})

``Canaries.make(place)`` gives a new value for a place and remembers it; ``Canaries.found_in(data)`` lists the places
whose value is in the data in any form: as it is, base64 at each of its three alignments, hexadecimal, URL-encoded,
reversed, as md5, sha1, sha256 and sha512 (hexadecimal and base64), of the value with and without a line end; data that
are compressed with zlib or gzip, or archived in a zip file, are looked into.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import io
import json
import random
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

_DIGESTS = ("md5", "sha1", "sha256", "sha512")


class Canaries:
    """The values planted in one test; the same seed gives the same ones."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self.values: dict[str, str] = {}
        """Place → value."""

    def make(self, place: str, *, shape: str = "{}", length: int = 18) -> str:
        """The value for a place, made when first asked for; ``shape`` is what it is part of (``ghp_{}``)."""
        if place not in self.values:
            letters = "".join(
                self._random.choices("abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=length)
            )
            self.values[place] = shape.format(letters)
        return self.values[place]

    def found_in(self, data: bytes | str) -> list[str]:
        """``place: form`` for every canary that is in the data, in order."""
        texts = list(_layers(data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data))
        return sorted(
            f"{place}: {form}"
            for place, value in self.values.items()
            for form, needle in _forms(value)
            if any(needle in text for text in texts)
        )

    def assert_silent(self, outputs: Mapping[str, bytes | str]) -> None:
        """Fail with every output and place where a canary sings."""
        singing = {name: found for name, data in outputs.items() if (found := self.found_in(data))}
        assert not singing, json.dumps(singing, indent=2)


@lru_cache(maxsize=4096)
def _forms(value: str) -> tuple[tuple[str, bytes], ...]:
    """Each form of a value, by name; the ends of base64 that depend on neighbours are left out."""
    data = value.encode()
    forms = [
        ("raw", data),
        ("reversed", data[::-1]),
        ("hex", data.hex().encode()),
        ("HEX", data.hex().upper().encode()),
    ]
    forms += [("url", quote(value, safe="").encode()), ("json", json.dumps(value)[1:-1].encode())]
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + data)
        start, end = (0, 2, 3)[shift], len(encoded) - (0, 4, 4)[(shift + len(data)) % 3]
        forms += [(f"base64 at {shift}", encoded[start:end]),
                  (f"base64url at {shift}", base64.urlsafe_b64encode(b"\0" * shift + data)[start:end])]  # fmt: skip
    for name in _DIGESTS:
        for ending in (b"", b"\n"):
            digest = hashlib.new(name, data + ending, usedforsecurity=False).digest()
            forms += [(name, digest.hex().encode()), (f"{name} base64", base64.b64encode(digest).rstrip(b"="))]
    return tuple(forms)


def _layers(data: bytes) -> Iterator[bytes]:
    """The data, and what is compressed in it."""
    yield data
    for start in (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"):
        at = data.find(start)
        if at >= 0:
            with contextlib.suppress(zlib.error):
                yield zlib.decompressobj().decompress(data[at:])
    if data[:2] == b"\x1f\x8b":
        yield from _layers(gzip.decompress(data))
    if data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield from _layers(archive.read(name))


def files_below(*directories: Path) -> dict[str, bytes]:
    """Every file below some directories, its name as part of what is searched."""
    return {
        str(path): path.name.encode() + b"\n" + path.read_bytes()
        for directory in directories
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


# -- a repository full of them --------------------------------------------------------------------------------------

REPOSITORY = "https://git.example.org/acme/shop"
CHANGED = ("Secret plain", "Secret text", "Secret generated", "Deployment api", "ConfigMap settings")
"""Objects that must be shown as changed between ``plant(…, change="old")`` and ``"new"``."""


def encoded(value: str) -> str:
    """Base64 of a text."""
    return base64.b64encode(value.encode()).decode()


def plant(birds: Canaries, *, change: str) -> dict[str, str]:
    """A repository whose every secret is a canary: path → content. ``change`` (a word) makes each value another."""

    def bird(place: str, shape: str = "{}") -> str:
        return birds.make(f"{place} ({change})", shape=shape)

    files = {
        "apps/plain.yaml": _application("plain", f"  source: {{repoURL: {REPOSITORY}, path: plain}}\n"),
        "apps/generated.yaml": _application("generated", f"  source: {{repoURL: {REPOSITORY}, path: generated}}\n"),
        "apps/chart.yaml": _application("chart", _chart_source(bird)),
        "plain/secrets.yaml": _secrets(bird),
        "plain/workload.yaml": _workload(bird),
        "plain/settings.yaml": _settings(bird),
        "plain/nested.yaml": _nested(bird),
        "generated/kustomization.yaml": "resources: [user.yaml]\nsecretGenerator:\n- name: generated\n  literals:\n"
        f"  - password={bird('secretGenerator literal')}\n",
        "generated/user.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: user}\nspec:\n  containers:\n  - name: a\n"
        "    image: a:1\n    envFrom:\n    - secretRef: {name: generated}\n",
    }
    return files | _chart(bird)


def _application(name: str, source: str) -> str:
    return (
        f"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}, namespace: argocd}}\nspec:\n"
        f"  project: default\n  destination: {{server: https://kubernetes.default.svc, namespace: shop}}\n{source}"
    )


def _chart_source(bird) -> str:
    return (
        f"  source:\n    repoURL: {REPOSITORY}\n    path: chart\n    helm:\n      parameters:\n"
        f"      - name: database.password\n        value: {bird('helm parameter')}\n"
        f"      values: |\n        inline:\n          apiToken: {bird('helm values text')}\n"
    )


def _chart(bird) -> dict[str, str]:
    return {
        "chart/Chart.yaml": "apiVersion: v2\nname: chart\nversion: 1.0.0\n",
        "chart/values.yaml": f"database: {{password: none}}\ninline: {{apiToken: none}}\nadminPassword: {bird('values file')}\n",
        "chart/templates/secret.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: from-chart}\ntype: Opaque\nstringData:\n"
        "  a: {{ .Values.database.password | quote }}\n  b: {{ .Values.inline.apiToken | quote }}\n"
        "data:\n  c: {{ .Values.adminPassword | b64enc }}\n",
        "chart/templates/deployment.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: from-chart}\nspec:\n"
        "  selector: {matchLabels: {a: b}}\n  template:\n    metadata:\n      labels: {a: b}\n      annotations:\n"
        "        checksum/secret: {{ .Values.adminPassword | sha256sum }}\n"
        "        acme.io/secret-hash: {{ .Values.adminPassword | sha1sum }}\n"
        "    spec:\n      containers:\n      - name: a\n        image: a:1\n        env:\n        - name: CONFIG_HASH\n"
        "          value: {{ .Values.database.password | sha256sum }}\n        - name: ADMIN_PASSWORD\n"
        "          value: {{ .Values.adminPassword | quote }}\n",
    }


def _secrets(bird) -> str:
    applied = json.dumps({"kind": "Secret", "data": {"a": encoded(bird("last-applied"))}})
    return (
        f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: plain\n  annotations:\n"
        f"    kubectl.kubernetes.io/last-applied-configuration: '{applied}'\n    kapp.k14s.io/original: '{applied}'\n"
        f"data:\n  a: {encoded(bird('Secret data'))}\n  binary: {base64.b64encode(bytes(9) + bird('binary data').encode()).decode()}\n"
        f"---\napiVersion: v1\nkind: Secret\nmetadata: {{name: text}}\nstringData:\n  b: {bird('Secret stringData')}\n"
        f"  file: |\n    user=bob\n    pin={bird('Secret stringData file')}\n"
    )


def _workload(bird) -> str:
    copy = json.dumps(
        {"spec": {"containers": [{"env": [{"name": "DB_PASSWORD", "value": bird("copy in annotation")}]}]}}
    )
    return (
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: api\n  annotations:\n"
        f"    kubectl.kubernetes.io/last-applied-configuration: '{copy}'\n"
        f"spec:\n  selector: {{matchLabels: {{a: b}}}}\n  template:\n    metadata: {{labels: {{a: b}}}}\n    spec:\n"
        f"      automountServiceAccountToken: false\n      initContainers:\n      - name: init\n        image: a:1\n"
        f'        command: [sh, -c, "PGPASSWORD={bird("shell command")} psql -h db"]\n'
        f"        args: [--api-token, {bird('flag and value')}, '--password={bird('argument')}']\n"
        f"      containers:\n      - name: api\n        image: a:1\n        env:\n"
        f"        - {{name: DB_PASSWORD, value: {bird('env')}}}\n        - {{name: API_KEY, value: {bird('env key')}}}\n"
        f"        - {{name: DATABASE_URL, value: 'postgres://u:{bird('env url')}@db/shop'}}\n"
        f"        - {{name: HEADERS, value: 'Authorization: Bearer {bird('bearer')}1'}}\n"
        f"        - name: FROM\n          valueFrom: {{secretKeyRef: {{name: plain, key: a}}}}\n"
    )


def _settings(bird) -> str:
    pem = f"-----BEGIN PRIVATE KEY-----\n    {bird('pem')}\n    -----END PRIVATE KEY-----"
    return (
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings}}\ndata:\n  LEVEL: info\n"
        f"  REDIS_PASSWORD: {bird('ConfigMap key')}\n"
        f"  app.properties: |\n    level=info\n    db.password={bird('properties')}\n    host=db\n"
        f'  app.json: \'{{"auth": {{"clientSecret": "{bird("json")}"}}}}\'\n'
        f"  app.yaml: |\n    level: info\n    credentials:\n      token: {bird('yaml in ConfigMap')}\n"
        f"  secret.yaml: |\n    apiVersion: v1\n    kind: Secret\n    metadata:\n      name: inner\n    stringData:\n"
        f"      any: {bird('Secret in ConfigMap')}\n"
        f"  github: {bird('github token', 'ghp_{}')}\n  slack: {bird('slack token', 'xoxb-1234-{}')}\n"
        f"  remote: https://bob:{bird('url')}@git.example.org/x\n  key: |\n    {pem}\n"
        f"binaryData:\n  blob: {encoded('password=' + bird('ConfigMap binaryData'))}\n"
    )


def _nested(bird) -> str:
    return (
        f"apiVersion: kubernetes.crossplane.io/v1alpha2\nkind: Object\nmetadata: {{name: wrapped}}\nspec:\n  forProvider:\n"
        f"    manifest:\n      apiVersion: v1\n      kind: Secret\n      metadata: {{name: w}}\n      stringData:\n"
        f"        some: {bird('Secret in Object')}\n"
        f"---\napiVersion: template.openshift.io/v1\nkind: Template\nmetadata: {{name: t}}\nobjects:\n- apiVersion: v1\n"
        f"  kind: Secret\n  metadata: {{name: o}}\n  data:\n    some: {encoded(bird('Secret in Template'))}\n"
        f"parameters:\n- name: DB_PASSWORD\n  value: {bird('Template parameter')}\n"
        f"---\napiVersion: acme.io/v1\nkind: Database\nmetadata: {{name: d}}\nspec:\n  user: bob\n"
        f"  password: {bird('custom resource')}\n  tls: {{secretName: plain}}\n"
    )


def outputs_of(ended, *directories: Path, more: Iterable[tuple[str, bytes]] = ()) -> dict[str, bytes]:
    """What a finished process said, and every file below some directories: for ``Canaries.assert_silent``."""
    return {"stdout": ended.stdout, "stderr": ended.stderr, **files_below(*directories), **dict(more)}
