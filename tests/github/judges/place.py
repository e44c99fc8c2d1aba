"""Where the judges' material lies: schemas of GitHub and recorded traffic, brought by tests/tools/judges.sh."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

INSTALL = "the judges of the fake GitHub are missing; make test-tools (needs npm)"
_PINS = Path(__file__).parents[2] / "tools" / "judges.txt"


def _find() -> Path | None:
    key = hashlib.sha256(_PINS.read_bytes()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "gitops-bot" / "test-judges" / key
    return folder if (folder / "complete").is_file() else None


FOLDER = _find()
"""The folder, None when it is missing; looked up when this is imported, before the tests hide the user's home."""


def derived(name: str, made_by: str, make: Callable[[], Any]) -> Any:
    """What ``make`` returns (JSON), kept beside the material from one run to the next.

    ``made_by`` is everything the result depends on beside the pinned material: another one makes it anew.
    """
    assert FOLDER is not None
    kept = FOLDER / f"{name}-{hashlib.sha256(made_by.encode()).hexdigest()[:16]}.json"
    try:
        return json.loads(kept.read_bytes())
    except (OSError, ValueError):
        pass
    made = make()
    try:
        new = kept.with_suffix(f".{os.getpid()}")
        new.write_text(json.dumps(made, separators=(",", ":")))
        new.replace(kept)
    except OSError:
        return made  # a cache that cannot be written costs time only
    for old in FOLDER.glob(f"{name}-*.json"):
        if old != kept:
            old.unlink(missing_ok=True)
    return made
