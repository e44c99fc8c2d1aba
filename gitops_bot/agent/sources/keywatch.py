"""Watches the Secrets with logins, and what is known of hosts, in the agent's namespace: those, and no other."""

from __future__ import annotations

import threading
from collections.abc import Callable

from gitops_bot.agent.sources.keys import Keys
from gitops_bot.agent.sources.logins import AUTHORITIES, KNOWN_HOSTS, KNOWN_HOSTS_KEY, SELECTOR
from gitops_bot.doors.cluster.errors import Forbidden
from gitops_bot.doors.cluster.objects import Objects
from gitops_bot.doors.cluster.watch import Chosen, Event, Snapshot, Watcher, always
from gitops_bot.errors import ClusterError


class KeyWatch:
    """Tells the keys of what changes, until it is closed."""

    def __init__(self, objects: Objects, namespace: str, keys: Keys, changed: Callable[[], None]) -> None:
        """Take the doors, the keys that are told, and what is called when something opens now that did not before."""
        self._objects = objects
        self._keys = keys
        self._changed = changed
        self._known = threading.Event()
        self._secrets = Watcher(
            objects, Chosen(SELECTOR, namespace), self._secret_told, whole=always, failed=self._not_told
        )
        self._hosts = Watcher(objects, Chosen("", namespace, KNOWN_HOSTS), self._hosts_told, whole=always)
        self._trusted = Watcher(objects, Chosen("", namespace, AUTHORITIES), self._authorities_told, whole=always)

    def start(self, within: float = 20.0) -> None:
        """Begin, and wait some seconds at most until the logins are known, or known to be withheld.

        Raises ClusterError.
        """
        maps, kind = self._objects.kinds.preferred("", "ConfigMap"), self._objects.kinds.preferred("", "Secret")
        if maps is not None:
            self._trusted.watch(maps)
        if kind is not None:
            self._secrets.watch(kind)
            self._known.wait(within)

    def close(self) -> None:
        """End the watches."""
        self._secrets.close()
        self._hosts.close()
        self._trusted.close()

    def _not_told(self, error: ClusterError) -> None:
        if isinstance(error, Forbidden):
            self._known.set()

    def _secret_told(self, told: Snapshot | Event) -> None:
        if isinstance(told, Snapshot):
            changed = self._keys.replace(told.items)
        else:
            changed = (self._keys.remove if told.type == "DELETED" else self._keys.put)(told.body)
        if self._keys.uses_ssh:
            kind = self._objects.kinds.preferred("", "ConfigMap")
            if kind is not None:
                self._hosts.watch(kind)
        first = not self._known.is_set()
        self._known.set()
        if changed and not first:
            self._changed()

    def _hosts_told(self, told: Snapshot | Event) -> None:
        bodies = told.items if isinstance(told, Snapshot) else () if told.type == "DELETED" else (told.body,)
        text = "\n".join(str((body.get("data") or {}).get(KNOWN_HOSTS_KEY, "")) for body in bodies)
        if self._keys.put_hosts(text):
            self._changed()

    def _authorities_told(self, told: Snapshot | Event) -> None:
        bodies = told.items if isinstance(told, Snapshot) else () if told.type == "DELETED" else (told.body,)
        if self._keys.put_authorities(
            {host: text for body in bodies for host, text in (body.get("data") or {}).items()}
        ):
            self._changed()
