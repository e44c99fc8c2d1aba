"""What is remembered of each Application between two looks, and whose the objects are that a watch tells of."""

from __future__ import annotations

import threading

from gitops_bot.agent.application.record import AppObject, Record


class Records:
    """Asked by watches while others work; safe under many threads."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._lock = threading.Lock()
        self._found: dict[str, Record] = {}
        self._names: dict[str, str] = {}
        """Value of the label that says whose an object is → name of the Application."""

    def of(self, app: AppObject) -> Record:
        """What is known of an Application; of one that was made anew under its name, nothing."""
        name, uid = app.key.name, app.uid
        with self._lock:
            self._names[app.key.id] = name
            record = self._found.get(name)
            if record is None or record.uid != uid:
                record = self._found[name] = Record(uid)
            return record

    def find(self, name: str) -> Record | None:
        """What is known of one, None for one that was not worked on yet."""
        with self._lock:
            return self._found.get(name)

    def whose(self, part_of: str) -> tuple[str, Record | None]:
        """The Application that a label's value means, ``""`` where nobody knows, and what is known of it."""
        with self._lock:
            name = self._names.get(part_of, "")
            return name, self._found.get(name)

    def forget(self, name: str) -> None:
        """Take that an Application is gone."""
        with self._lock:
            self._found.pop(name, None)
            self._names = {part_of: each for part_of, each in self._names.items() if each != name}

    def clear(self) -> None:
        """Forget everything: somebody else has worked meanwhile."""
        with self._lock:
            self._found = {}
            self._names = {}
