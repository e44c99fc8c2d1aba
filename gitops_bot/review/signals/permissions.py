"""RBAC rules as sets of permissions: what one set of rules allows that another does not. Pure.

Coverage is that of the API server's own authorizer (``pkg/apis/rbac/v1`` helpers): ``*`` in verbs, groups and
resources, ``*/scale`` for a subresource of everything, no resource names for all of them, a trailing ``*`` in URLs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any, NamedTuple

from gitops_bot.manifests.yaml import Unchanged
from gitops_bot.review.signals.values import items, mapping, texts

_FEW = 2_000
"""Comparisons up to which looking at each rule is faster than listing what all of them allow."""
_MOST = 20_000
"""Permissions of one object that are told one by one; beyond it rules are compared as wholes."""


class Permission(NamedTuple):
    """One verb on one thing."""

    verb: str
    group: str
    """``""`` for core and for URLs."""
    resource: str
    """``pods/log``; ``""`` for a URL."""
    name: str
    """The one object that it is limited to, or the URL; ``""`` for all."""


class Rule(NamedTuple):
    """A PolicyRule."""

    verbs: frozenset[str]
    groups: frozenset[str]
    resources: frozenset[str]
    names: frozenset[str]
    """Empty for all."""
    urls: frozenset[str]

    @property
    def size(self) -> int:
        """How many permissions it makes."""
        things = len(self.groups) * len(self.resources) * max(1, len(self.names))
        return len(self.verbs) * (things + len(self.urls))

    @property
    def has_wildcards(self) -> bool:
        """Whether it allows more than what it lists."""
        patterns = any(resource.startswith("*/") for resource in self.resources)
        return (
            "*" in self.verbs | self.groups | self.resources or patterns or any(url.endswith("*") for url in self.urls)
        )

    def permissions(self) -> Iterator[Permission]:
        """What it lists, one by one."""
        for verb, group, resource, name in product(self.verbs, self.groups, self.resources, self.names or ("",)):
            yield Permission(verb, group, resource, name)
        for verb, url in product(self.verbs, self.urls):
            yield Permission(verb, "", "", url)

    def covers(self, wanted: Permission) -> bool:
        """Whether the rule allows it."""
        if wanted.verb not in self.verbs and "*" not in self.verbs:
            return False
        if not wanted.resource:
            return any(
                url in ("*", wanted.name) or (url.endswith("*") and wanted.name.startswith(url[:-1]))
                for url in self.urls
            )
        if wanted.group not in self.groups and "*" not in self.groups:
            return False
        if self.names and wanted.name not in self.names:
            return False
        _, slash, subresource = wanted.resource.partition("/")
        return (
            "*" in self.resources
            or wanted.resource in self.resources
            or (bool(slash) and f"*/{subresource}" in self.resources)
        )


def _rules(found: Iterable[Any]) -> dict[Rule, None]:
    """Rules in order, each once; parts of another type are left out."""
    fields = ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")
    return dict.fromkeys(Rule(*[_words(mapping(item).get(field)) for field in fields]) for item in found)


def _words(value: Any) -> frozenset[str]:
    """The texts of a list; one that was not read because it is the same on both sides stands for itself."""
    return frozenset((f"{value.lines} unchanged entries",) if isinstance(value, Unchanged) else texts(value))


def gained(before: Any, after: Any) -> list[Permission]:
    """What the rules of the later role allow and those of the former do not, in order.

    Takes the two lists as they stand in the objects; anything else has no rules.
    """
    former, later = items(before), items(after)
    start, end = 0, len(later)
    while start < min(len(former), end) and former[start] == later[start]:
        start += 1
    while end > start and len(former) + end - len(later) > start and former[end - len(later) - 1] == later[end - 1]:
        end -= 1
    if start == end:
        return []
    old = _rules(former)
    new = [rule for rule in _rules(later[start:end]) if rule not in old]
    if not new:
        return []
    asked = sum(rule.size for rule in new)
    few = asked * len(old) <= _FEW
    listed: set[Permission] = set()
    room = 0 if few else _MOST
    for rule in () if few else sorted(old, key=lambda rule: rule.size):
        room -= rule.size
        if room < 0:
            break
        listed.update(rule.permissions())
    broad = [rule for rule in old if few or room < 0 or rule.has_wildcards]
    return sorted(_not_covered(new, listed, broad))


def _not_covered(new: Iterable[Rule], listed: set[Permission], broad: Iterable[Rule]) -> Iterator[Permission]:
    """What the new rules allow that is neither listed nor covered; of too much, an outline."""
    wide = list(broad)
    found: set[Permission] = set()
    room = _MOST
    for rule in new:
        room -= rule.size * (1 + len(wide))
        if room < 0:
            found.update(_outline(rule))
            continue
        for wanted in rule.permissions():
            known = wanted in listed or (wanted.resource and wanted._replace(name="") in listed)
            if not known and not any(each.covers(wanted) for each in wide):
                found.add(wanted)
    yield from found


def _outline(rule: Rule) -> Iterator[Permission]:
    """Something of each part of a rule that is too large to be told one by one."""
    for verb in sorted(rule.verbs)[:20]:
        for resource in sorted(rule.resources)[:20]:
            yield Permission(verb, min(rule.groups, default=""), resource, "")
        for url in sorted(rule.urls)[:20]:
            yield Permission(verb, "", "", url)
