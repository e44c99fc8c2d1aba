"""Charts from Helm repositories and OCI registries: which archive a version means, and its bytes."""

from __future__ import annotations

import hashlib
import re
import threading
from typing import NamedTuple
from urllib.parse import urljoin

from gitops_bot.doors import http
from gitops_bot.doors.registry import Place, Registry
from gitops_bot.errors import FetchError
from gitops_bot.model import url as urls
from gitops_bot.model.url import Url
from gitops_bot.render.fetching import chart_index, semver
from gitops_bot.render.fetching.policy import Places

CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_INDEX_SIZE = 128 * 1024 * 1024
_ARCHIVE_SIZE = 32 * 1024 * 1024


class Found(NamedTuple):
    """The archive that a name and version mean."""

    version: str
    """The version itself, also where a range was asked for."""
    digest: str
    """SHA-256 of the archive in hexadecimal, ``""`` when the index names none."""
    where: str | Place
    """The archive's URL, or its repository in a registry."""


class Charts:
    """Looks charts up and downloads them, within the policy. An index or list of tags is asked for once a run."""

    def __init__(self, client: http.Client, policy: Places) -> None:
        self._client = client
        self._policy = policy
        self._registry = Registry(client, lambda url: policy.reach(url, pinned=True))
        self._indexes: dict[Url, bytes] = {}
        self._lock = threading.Lock()
        self._locks: dict[Url, threading.Lock] = {}

    def find(self, repository: Url, name: str, wanted: str) -> Found:
        """What ``wanted`` (version, range, tag, ``""`` for the newest) means. Raises FetchError."""
        shown = _shown(repository, name)
        parts = name.split("/") if name else []
        if any(not _NAME.fullmatch(part) for part in parts):
            raise FetchError(f"{shown}: {name[:80]!r} is not the name of a chart", hint="correct the chart's name")
        try:
            if repository.scheme in ("oci", "oci+http"):
                return self._find_tag(repository, name, wanted)
            return self._find_entry(repository, name, wanted)
        except ValueError:
            raise FetchError(
                f"{shown}: {wanted[:80]!r} is neither a version it has nor a version range",
                hint="write a version (1.2.3) or a range (^1.2)",
            ) from None

    def download(self, found: Found, shown: str) -> bytes:
        """The archive, verified against its digest where there is one. Raises FetchError."""
        if isinstance(found.where, Place):
            return self._registry.blob(found.where, f"sha256:{found.digest}")
        pinned = bool(found.digest)
        answer = self._client.get(
            found.where,
            lambda url: self._policy.reach(url, pinned=pinned),
            headers={"Accept": "*/*"},
            size=_ARCHIVE_SIZE,
        )
        if answer.status != 200:
            raise FetchError(
                f"{shown}: {urls.shown(answer.url)} answers HTTP {answer.status}", hint=_hint(answer.status)
            )
        if pinned and hashlib.sha256(answer.body).hexdigest() != found.digest:
            raise FetchError(
                f"{shown}: the archive does not have the digest that the index names",
                hint="the repository is inconsistent, or something changed the archive on its way; tell its owner",
            )
        return answer.body

    # -- Helm repositories ----------------------------------------------------------------------------------------

    def _find_entry(self, repository: Url, name: str, wanted: str) -> Found:
        shown = _shown(repository, name)
        known = chart_index.versions(self._index(repository), name)
        if not known:
            raise FetchError(f"{shown}: the repository has no such chart", hint="check the chart's name")
        chosen = chart_index.choose(known, wanted)
        if chosen is None:
            raise FetchError(
                f"{shown}: no version matches {wanted[:80]!r}", hint="helm search repo --versions lists them"
            )
        if not chosen.urls:
            raise FetchError(
                f"{shown} {chosen.version}: the index names no archive", hint="tell the repository's owner"
            )
        if chosen.digest and not _SHA256.fullmatch(chosen.digest):
            raise FetchError(f"{shown} {chosen.version}: the index's digest is not a SHA-256")
        url = urljoin(f"{repository._replace(query='')}/", chosen.urls[0])
        if url.startswith("oci://"):
            return self._find_linked(url, chosen.version)
        if self._policy.reach(url, pinned=bool(chosen.digest)) == "refused":
            why = "" if chosen.digest else ", and the index names no digest for it"
            raise FetchError(
                f"{shown} {chosen.version}: its archive lies at {urls.shown(url)}, "
                f"which the base revision does not allow{why}",
                hint="add that place to fetch.allow in .gitops-bot.yaml on the base branch",
            )
        return Found(chosen.version, chosen.digest, url)

    def _find_linked(self, url: str, version: str) -> Found:
        """An index may lead to a registry; the policy must allow that registry too."""
        place, _, tag = url.rpartition(":")
        parent, _, name = place.rpartition("/")
        return self._find_tag(self._policy.require("chart", parent), name, tag or version)

    def _index(self, repository: Url) -> bytes:
        with self._lock:
            mine = self._locks.setdefault(repository, threading.Lock())
        with mine:
            if repository not in self._indexes:
                self._indexes[repository] = self._fetch_index(repository)
            return self._indexes[repository]

    def _fetch_index(self, repository: Url) -> bytes:
        url = str(repository._replace(path=f"{repository.path}/index.yaml"))
        answer = self._client.get(url, self._policy.reach, compressed=True, size=_INDEX_SIZE)
        if answer.status != 200:
            raise FetchError(f"{urls.shown(url)} answers HTTP {answer.status}", hint=_hint(answer.status))
        return answer.body

    # -- registries -----------------------------------------------------------------------------------------------

    def _find_tag(self, repository: Url, name: str, wanted: str) -> Found:
        origin = f"{'http' if repository.scheme == 'oci+http' else 'https'}://{repository.authority}"
        place = Place(origin, "/".join(part for part in (repository.path.strip("/"), name) if part))
        version, reference = self._reference(place, wanted)
        _, manifest = self._registry.manifest(place, reference)
        for inner in manifest.manifests[:10]:
            if manifest.layers:
                break
            _, manifest = self._registry.manifest(place, inner.digest)
        layer = next((layer for layer in manifest.layers if layer.media_type == CHART_LAYER), None)
        if layer is None:
            raise FetchError(f"{place} {version}: it is not a Helm chart", hint="its manifest has no chart layer")
        return Found(version, layer.digest.removeprefix("sha256:"), place)

    def _reference(self, place: Place, wanted: str) -> tuple[str, str]:
        """The version and the tag that a version, range, tag or digest means; tags write ``+`` as ``_``."""
        if wanted.startswith("sha256:"):
            return wanted, wanted
        if semver.is_exact(wanted):
            return wanted, wanted.replace("+", "_")
        tags = {tag.replace("_", "+"): tag for tag in self._registry.tags(place)}
        if wanted in tags:
            return wanted, tags[wanted]
        chosen = semver.newest(wanted or "*", tags)
        if chosen is None:
            raise FetchError(f"{place}: no version matches {wanted[:80]!r}", hint="look at the tags of the repository")
        return chosen, tags[chosen]


def _shown(repository: Url, name: str) -> str:
    return f"{urls.shown(str(repository))}{'/' if name else ''}{name[:80]}"


def _hint(status: int) -> str:
    if status in (401, 403):
        return "bind a credential to the URL in the fetch credentials"
    return "check the URL" if status == 404 else "try again later"
