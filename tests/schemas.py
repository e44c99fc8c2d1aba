"""The JSON schemas in docs/schemas, made from the types: ``python -m tests.schemas`` writes them anew."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from gitops_bot.model.listing import Listing
from gitops_bot.model.settings import Cluster, Settings

FOLDER = Path(__file__).parent.parent / "docs" / "schemas"
PUBLISHED = {
    "settings.schema.json": (Settings, "gitops-bot settings (.gitops-bot.yaml)"),
    "apps.schema.json": (Listing, "What gitops-bot apps --format json prints"),
    "cluster.schema.json": (Cluster, "Capability snapshot (.gitops-bot/clusters/<name>.yaml)"),
}


def schema_text(name: str) -> str:
    """The content of one schema file."""
    kind, title = PUBLISHED[name]
    schema = msgspec.json.schema(kind)
    return (
        json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **schema}, indent=2)
        + "\n"
    )


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for each in PUBLISHED:
        (FOLDER / each).write_text(schema_text(each))
        print(f"wrote {FOLDER / each}")
