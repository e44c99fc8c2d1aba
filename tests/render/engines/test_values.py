"""Which value files count, in which order: Argo CD's rules, and what leads out is refused."""

from __future__ import annotations

import pytest

from gitops_bot.errors import RenderError
from gitops_bot.render.engines.inputs import Mount
from gitops_bot.render.engines.values import Finder
from tests.render.trees import tree_of

FILES = dict.fromkeys(
    (
        "chart/values.yaml",
        "chart/values-a.yaml",
        "chart/values-b.yaml",
        "chart/env/eu/values.yaml",
        "chart/env/eu/prod/values.yaml",
        "chart/env/us/values.yaml",
        "chart/env/values.yaml",
        "global.yaml",
        "[odd].yaml",
    ),
    "",
)


def finder(links: dict[str, str] | None = None) -> Finder:
    other = tree_of({"team/values.yaml": "", "team/x-1.yaml": "", "team/x-2.yaml": ""})
    return Finder(
        Mount("repo", tree_of(FILES, links)),
        "chart",
        {"values": Mount("refs/values", other, "the repository of $values")},
        {"ENV": "eu", "NAME": "a"},
    )


def found(*value_files: str, ignore_missing: bool = False, links: dict[str, str] | None = None) -> list[str]:
    places = finder(links).find(value_files, ignore_missing=ignore_missing)
    return [place.mount.at(place.path) if place.mount else place.path for place in places]


@pytest.mark.parametrize(
    ("value_files", "expected"),
    [
        (["values-b.yaml", "values-a.yaml"], ["repo/chart/values-b.yaml", "repo/chart/values-a.yaml"]),
        (["./env/../values-a.yaml"], ["repo/chart/values-a.yaml"]),
        (["../global.yaml", "/global.yaml"], ["repo/global.yaml"]),
        (
            ["values-$NAME.yaml", "env/${ENV}/values.yaml"],
            ["repo/chart/values-a.yaml", "repo/chart/env/eu/values.yaml"],
        ),
        (["$values/team/values.yaml"], ["refs/values/team/values.yaml"]),
        (["$values/team/x-*.yaml"], ["refs/values/team/x-1.yaml", "refs/values/team/x-2.yaml"]),
        (["values-*.yaml"], ["repo/chart/values-a.yaml", "repo/chart/values-b.yaml"]),
        (["values-?.yaml"], ["repo/chart/values-a.yaml", "repo/chart/values-b.yaml"]),
        (["values-[b-z].yaml"], ["repo/chart/values-b.yaml"]),
        (["values-[!a].yaml"], ["repo/chart/values-b.yaml"]),
        (["values-{b,a}*.yaml"], ["repo/chart/values-a.yaml", "repo/chart/values-b.yaml"]),
        (["env/*/values.yaml"], ["repo/chart/env/eu/values.yaml", "repo/chart/env/us/values.yaml"]),
        (
            ["env/**/values.yaml"],
            [
                "repo/chart/env/values.yaml",
                "repo/chart/env/eu/values.yaml",
                "repo/chart/env/eu/prod/values.yaml",
                "repo/chart/env/us/values.yaml",
            ],
        ),
        # an explicit entry keeps its own place, a path counts once
        (["values-*.yaml", "values-a.yaml"], ["repo/chart/values-b.yaml", "repo/chart/values-a.yaml"]),
        (["values-a.yaml", "values-*.yaml"], ["repo/chart/values-a.yaml", "repo/chart/values-b.yaml"]),
        (["values-a.yaml", "values-b.yaml", "values-a.yaml"], ["repo/chart/values-a.yaml", "repo/chart/values-b.yaml"]),
        (["https://example.org/v.yaml", "values.yaml"], ["https://example.org/v.yaml", "repo/chart/values.yaml"]),
    ],
)
def test_order_and_duplicates(value_files: list[str], expected: list[str]) -> None:
    assert found(*value_files) == expected


def test_missing_ones_are_errors_unless_ignored() -> None:
    for missing in ("nope.yaml", "nope-*.yaml", "$values/nope.yaml"):
        assert found("values.yaml", missing, ignore_missing=True) == ["repo/chart/values.yaml"]
        with pytest.raises(RenderError, match="nope"):
            found("values.yaml", missing)


@pytest.mark.parametrize(
    "hostile",
    [
        "../../outside.yaml",
        "../../*.yaml",
        "/../outside.yaml",
        "$values/../../outside.yaml",
        "$values/../outside.yaml",
        "file:///etc/passwd",
        "FILE:///etc/passwd",
        "s3://bucket/values.yaml",
        "secrets://values.yaml",
        "out.yaml",
        "absolute.yaml",
        "outdir/values.yaml",
        "outdir/*.yaml",
        "**/passwd",
        "loop/values.yaml",
        "loop",
        "env",
    ],
)
def test_what_leads_out_is_refused_also_when_missing_ones_are_ignored(hostile: str) -> None:
    links = {
        "chart/out.yaml": "../../etc/passwd",
        "chart/absolute.yaml": "/etc/passwd",
        "chart/outdir": "../../..",
        "chart/loop": "loop2",
        "chart/loop2": "loop",
    }
    with pytest.raises(RenderError):
        found(hostile, ignore_missing=True, links=links)


def test_links_inside_are_followed_also_by_globs() -> None:
    links = {"chart/linked": "env/eu", "chart/values-c.yaml": "../global.yaml"}
    assert found("linked/**/values.yaml", links=links) == [
        "repo/chart/linked/values.yaml",
        "repo/chart/linked/prod/values.yaml",
    ]
    assert found("values-[c].yaml", links=links) == ["repo/chart/values-c.yaml"]


def test_a_link_to_its_own_parent_is_refused() -> None:
    with pytest.raises(RenderError, match="circle"):
        found("env/**/values.yaml", links={"chart/env/self": "../env"})
