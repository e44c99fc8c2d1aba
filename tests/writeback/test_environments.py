"""Whom a file and a target belong to."""

from __future__ import annotations

import pytest

from gitops_bot.model.application import Application, ApplicationSpec, HelmOptions, Metadata, Source
from gitops_bot.model.settings import Environment, ImageRule, ImageWrite, Settings
from gitops_bot.model.target import Target
from gitops_bot.writeback.environments import environments_of, owners_of
from tests.render.trees import tree_of

BRANCHES = {"staging": Environment(branch="main"), "production": Environment(branch="main")}
PLACES = {
    "staging": Environment(branch="main", applications="argocd/staging"),
    "production": Environment(tag="v*", applications="argocd/production/"),
}
RULED = (ImageRule(repository="a", write=(ImageWrite(file="values-{environment}.yaml", path="t"),)),)


@pytest.mark.parametrize(
    ("rules", "file", "links", "owners"),
    [
        (RULED, "values-staging.yaml", {}, {"staging"}),
        (RULED, "other/values-staging.yaml", {}, set()),
        (RULED, "real.yaml", {"values-production.yaml": "real.yaml"}, {"production"}),
        (RULED, "real.yaml", {"values-production.yaml": "real.yaml", "values-staging.yaml": "./real.yaml"}, {"production", "staging"}),
        ((), "values.yaml", {}, set()),
        ((), "production/values.yaml", {}, {"production"}),
        ((), "production/staging.yaml", {}, {"production", "staging"}),
        ((), "reproduction/values.yaml", {}, set()),
        ((), "shared/values.yaml", {"overlays/production": "../shared"}, {"production"}),
        ((), "shared/values.yaml", {"overlays/production": "../../outside"}, set()),
        ((), "chart/templates/production.yaml", {}, set()),
    ],
)  # fmt: skip
def test_a_file_is_an_environments_own_by_rule_or_else_by_its_name(rules, file, links, owners):
    settings = Settings(environments=BRANCHES, images=rules)
    assert owners_of(settings, tree_of({file: "t: 1\n"}, links), file) == owners


def target(file, *, name="shop", follows="main", path="chart", values=(), plain=False):
    source = Source(path=path, helm=HelmOptions(value_files=values))
    application = None if plain else Application(metadata=Metadata(name=name), spec=ApplicationSpec(source=source))
    return Target(id=file, name=name, file=file, kind="Directory" if plain else "Application", sources=(source,),
                  follows="" if plain else follows, application=application)  # fmt: skip


@pytest.mark.parametrize(
    ("environments", "given", "found"),
    [
        (PLACES, target("argocd/staging/shop.yaml"), {"staging"}),
        (PLACES, target("argocd/production/shop.yaml", follows="main"), {"production"}),
        (PLACES, target("elsewhere/shop.yaml"), set()),
        (PLACES, target("overlays/production", plain=True), {"production"}),
        (BRANCHES, target("apps/shop.yaml"), {"staging", "production"}),
        (BRANCHES, target("apps/shop.yaml", follows="develop"), set()),
        (BRANCHES, target("apps/shop.yaml", name="shop-staging"), {"staging"}),
        (BRANCHES, target("apps/shop.yaml", values=("values-production.yaml",)), {"production"}),
        (BRANCHES, target("apps/shop.yaml", path="overlays/staging"), {"staging"}),
    ],
)
def test_a_target_is_an_environments_by_its_application_or_else_by_the_words_of_its_paths(environments, given, found):
    assert environments_of(Settings(environments=environments), (given,)) == found
