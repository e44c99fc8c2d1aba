"""What a merge or a tag brings to an environment, and which holds stand against it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gitops_bot.model.settings import Environment, ImageRule, ImageWrite, Settings
from gitops_bot.writeback.moves.brought import brought, held_back
from tests.render.trees import tree_of

NOW = datetime(2026, 8, 5, 12, 0, tzinfo=UTC)
ENVIRONMENTS = {"staging": Environment(branch="main"), "production": Environment(tag="v*.*.*")}
RULES = Settings(
    environments=ENVIRONMENTS,
    images=(
        ImageRule(
            repository="ghcr.io/acme/api",
            write=(
                ImageWrite(file="apps/{environment}.yaml", path="image.tag"),
                ImageWrite(file="apps/shared.yaml", path="image.tag"),
            ),
        ),
    ),
)


def values(tag: str) -> str:
    return f"image:\n  tag: {tag}\n"


def hold(**more: str) -> dict[str, str]:
    facts = {"what": "ghcr.io/acme/api", "version": "v2", "why": "slow", "by": "bob", **more}
    lines = "".join(f"  {name}: {value}\n" for name, value in facts.items())
    return {".gitops-bot/holds.yaml": f"holds:\n-{lines[1:]}"}


@pytest.mark.parametrize(
    ("before", "after", "held"),
    [
        ({"apps/staging.yaml": values("v1")}, {"apps/staging.yaml": values("v2")}, True),
        ({"apps/staging.yaml": values("v1")}, {"apps/staging.yaml": values("v3")}, False),
        ({"apps/shared.yaml": values("v1")}, {"apps/shared.yaml": values("v2")}, True),
        ({}, {"apps/staging.yaml": values("v2")}, True),
        # had already, another environment's, or nobody's values
        ({"apps/staging.yaml": values("v2")}, {"apps/staging.yaml": values("v2") + "other: 1\n"}, False),
        ({"apps/production.yaml": values("v1")}, {"apps/production.yaml": values("v2")}, False),
        ({"docs/x.yaml": values("v1")}, {"docs/x.yaml": values("v2")}, False),
        # what cannot be read says nothing
        ({"apps/staging.yaml": values("v1")}, {"apps/staging.yaml": "{{ if }}: not: yaml\n"}, False),
        ({"apps/staging.yaml": "[\n"}, {"apps/staging.yaml": values("v2")}, True),
        ({"apps/staging.yaml": values("v2")}, {}, False),
    ],
)
def test_what_is_brought_is_held(before: dict[str, str], after: dict[str, str], held: bool) -> None:
    found = held_back(RULES, "staging", tree_of(before), tree_of(after), holding=tree_of(hold()), now=NOW)
    assert bool(found) is held


def test_without_a_state_before_everything_is_brought() -> None:
    after = tree_of({"apps/staging.yaml": values("v2")})
    assert held_back(RULES, "staging", None, after, holding=tree_of(hold()), now=NOW)
    assert not held_back(RULES, "staging", after, after, holding=tree_of(hold()), now=NOW)


@pytest.mark.parametrize(
    ("more", "held"),
    [
        ({"environment": "staging"}, True),
        ({"environment": "production"}, False),
        ({"until": "2026-08-04"}, False),
        ({"version": '"*"'}, True),
    ],
)
def test_holds_count_where_and_as_long_as_they_say(more: dict[str, str], held: bool) -> None:
    after = tree_of({"apps/staging.yaml": values("v2")})
    assert bool(held_back(RULES, "staging", None, after, holding=tree_of(hold(**more)), now=NOW)) is held


def test_a_branch_of_its_own_without_rules_has_every_value_but_others() -> None:
    settings = Settings(environments={"staging": Environment(branch="main"), "qa": Environment(branch="qa")})
    image = "image:\n  repository: ghcr.io/acme/api\n  tag: {}\n"
    files = ("values.yaml", "overlays/qa/values.yaml", ".github/workflows/x.yaml", "README.md")
    before, after = (tree_of(dict.fromkeys(files, image.format(tag))) for tag in ("v1", "v2"))
    (subject,) = brought(settings, "staging", before, after)
    assert (subject.what, subject.file) == ("ghcr.io/acme/api", "values.yaml")
    (subject,) = brought(settings, "qa", before, after)
    assert subject.file == "overlays/qa/values.yaml"
