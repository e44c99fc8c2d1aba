"""Which kinds a cluster has, and under which paths: the API server's aggregated discovery, four requests in all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from gitops_bot.doors.cluster.errors import NoKind, Refused, Unavailable
from gitops_bot.doors.cluster.requests import Requests, part
from gitops_bot.model.resource import ResourceKey

_ACCEPT = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
)
_SILENT = "Stale"
"""How discovery marks a version of a group whose API server did not answer when it was asked last."""

_NOWHERE = "/apis/nowhere.gitops-bot.invalid"
"""What no server has: one that has just started answers ``_NOT_YET``, and 404 once it knows everything that it serves.
Its list of kinds lacks the custom ones for that long, and does not say so (1.3 s on v1.36.3)."""
_NOT_YET = 503


class Kind(NamedTuple):
    """One kind in one version."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str]

    @property
    def api_version(self) -> str:
        """``apps/v1``, ``v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "") -> str:
        """Of one object, or of all: in a namespace, or everywhere."""
        base = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        place = f"/namespaces/{part(namespace)}" if namespace and self.namespaced else ""
        return f"{base}{place}/{self.plural}" + (f"/{part(name)}" if name else "")


class Kinds:
    """The kinds of a cluster as they were when they were asked for."""

    def __init__(self, found: Iterable[Kind], *, version: str = "", silent: Iterable[str] = ()) -> None:
        """Take the kinds, of each group the preferred version first, and the server's own version (``v1.36.3``).

        ``silent`` are the groups whose own API server did not answer: they may have other kinds than those found.
        """
        self.version = version
        self._silent = frozenset(silent)
        self._by_version: dict[tuple[str, str, str], Kind] = {}
        self._preferred: dict[tuple[str, str], Kind] = {}
        for kind in found:
            self._by_version.setdefault((kind.group, kind.version, kind.kind), kind)
            self._preferred.setdefault((kind.group, kind.kind), kind)

    def __iter__(self) -> Iterator[Kind]:
        """Every kind in its preferred version."""
        return iter(self._preferred.values())

    def find(self, api_version: str, kind: str) -> Kind | None:
        """The kind in exactly this version, None when the cluster does not have it."""
        group, _, version = api_version.rpartition("/")
        return self._by_version.get((group, version, kind))

    def preferred(self, group: str, kind: str) -> Kind | None:
        """The kind in the version that the API server prefers, None when it does not have it."""
        return self._preferred.get((group, kind))

    def lacks(self, group: str, kind: str, api_version: str = "") -> bool:
        """Whether the cluster is known not to have a kind (in exactly this version): then it has no object of it."""
        found = self.find(api_version, kind) if api_version else self.preferred(group, kind)
        return found is None and group not in self._silent

    def of(self, key: ResourceKey, api_version: str = "") -> Kind:
        """The kind of an object. Raises NoKind, Unavailable where the API server of its group did not answer."""
        found = self.find(api_version, key.kind) if api_version else self.preferred(key.group, key.kind)
        if found is None:
            name = f"{key.kind} in {api_version or key.group or 'v1'}"
            if key.group in self._silent:
                raise Unavailable(f"the API server of {key.group} does not answer, which may have {name}", status=503)
            raise NoKind(f"the cluster has no kind {name}", status=404, reason="NotFound")
        return found

    @property
    def api_versions(self) -> tuple[str, ...]:
        """What charts may ask for: ``apps/v1`` and ``apps/v1/Deployment`` forms, in order."""
        found = {each.api_version for each in self._by_version.values()}
        return tuple(sorted(found | {f"{each.api_version}/{each.kind}" for each in self._by_version.values()}))


def discover_kinds(requests: Requests) -> Kinds:
    """Ask for every kind; of groups whose own server does not answer, for those that it told before.

    Raises ClusterError: Unavailable while the API server has not all kinds yet, because it has just started.
    """
    try:
        requests.get(_NOWHERE)
    except Refused as error:
        if error.status == _NOT_YET:
            raise
    found: list[Kind] = []
    silent: set[str] = set()
    for path in ("/api", "/apis"):
        for item in requests.get(path, accept=_ACCEPT).body.get("items") or ():
            group = item["metadata"].get("name", "")
            for version in item.get("versions") or ():
                if version.get("freshness") == _SILENT:
                    silent.add(group)
                found += [
                    kind for each in version.get("resources") or () if (kind := _kind(group, version, each)) is not None
                ]
    version = requests.get("/version").body.get("gitVersion", "")
    return Kinds(found, version=version, silent=silent)


def _kind(group: str, version: Mapping[str, Any], resource: Mapping[str, Any]) -> Kind | None:
    told = resource.get("responseKind") or {}
    if not told.get("kind"):
        return None
    return Kind(
        group=told.get("group") or group,
        version=told.get("version") or version["version"],
        kind=told["kind"],
        plural=resource["resource"],
        namespaced=resource.get("scope") == "Namespaced",
        verbs=frozenset(resource.get("verbs") or ()),
    )
