"""An edit that nothing renders is refused by the file and line of what wins: with the real Helm and kustomize."""

from __future__ import annotations

import pytest

from gitops_bot.model.writeback import Proposal
from gitops_bot.writeback.bumps.request import ModelRequest, ValueRequest, parse_image
from gitops_bot.writeback.holds import FILE, Hold, add_hold
from gitops_bot.writeback.overlay import overlaid
from gitops_bot.writeback.refused import Refused
from tests.writeback.bumps.place import API, DATA, EXAMPLE, FULL, VALUES, bumped, content, doors, files_below, rendering

CHART = "k8s/helm/churn-mlops"
TAG = ValueRequest(file=f"{CHART}/values-production.yaml", path="image.tag", value="v9.9.9")


def attempt(repository, files, *items, name="made", **request):
    checkout = repository(files, name)
    with rendering(checkout.path) as (tree, renderer):
        return bumped(tree, *items, given=doors(renderer=renderer), **request)


def refused(repository, files, *items, **request):
    with pytest.raises(Refused) as caught:
        attempt(repository, files, *items, **request)
    return caught.value.message


# -- the fixture with everything at once, and the example -------------------------------------------------------------


def test_the_parameter_that_shadows_the_value_file_is_named(repository, helm):
    files = files_below(FULL)
    lines = files["argocd/application.yaml"].decode().splitlines()
    line = lines.index("          value: v1.2.3") + 1
    said = refused(repository, files, TAG)
    assert f"argocd/application.yaml:{line}: helm.parameters sets it" in said
    assert "churn-mlops renders as before" in said


def test_the_parameter_itself_may_be_written(repository, helm):
    path = "Application/churn-mlops: spec.source.helm.parameters[name=image.tag].value"
    item = ValueRequest(file="argocd/application.yaml", path=path, value="v9.9.9")
    proposal = attempt(repository, files_below(FULL), item)
    assert "value: v9.9.9" in content(proposal)["argocd/application.yaml"]
    assert "Renders differently: `churn-mlops`" in proposal.body


def test_the_example_takes_an_image_and_a_model_in_every_environment(repository, helm):
    files = files_below(EXAMPLE)
    model = ModelRequest(name="churn-model", version="v1.3.0", path="s3://models/churn/v1.3.0/", data=DATA,
                         metrics={"auc": 0.87})  # fmt: skip
    for environment in ("development", "staging", "production"):
        proposal = attempt(
            repository, files, parse_image(f"{API}:sha-abc1234"), model, environment=environment, name=environment
        )
        assert isinstance(proposal, Proposal)
        assert list(content(proposal)) == [VALUES.format(environment)]
        assert f"Renders differently: `churn-mlops-{environment}`" in proposal.body
        assert "renders as before" not in proposal.body  # the chart's other files of values are nothing to the others
        assert "not checked" not in proposal.body


@pytest.mark.parametrize(
    ("inline", "path"),
    [
        ("      values: |\n        image:\n          tag: v1\n", "spec.source.helm.values | image.tag"),
        ("      valuesObject:\n        image:\n          tag: v1\n", "spec.source.helm.valuesObject.image.tag"),
    ],
)
def test_the_parameter_that_shadows_an_inline_value_is_named(repository, helm, inline, path):
    files = files_below(FULL)
    application = (
        files["argocd/application.yaml"].decode().replace("      parameters:\n", f"{inline}      parameters:\n")
    )
    files["argocd/application.yaml"] = application.encode()
    line = application.splitlines().index("          value: v1.2.3") + 1
    item = ValueRequest(file="argocd/application.yaml", path=path, value="v9.9.9")
    assert f"renders as before: argocd/application.yaml:{line}: helm.parameters sets it" in refused(
        repository, files, item
    )


def test_an_application_that_changes_nothing_it_renders_is_no_proof(repository, helm):
    files = files_below(FULL)
    ours = ValueRequest(file="argocd/application.yaml", path="spec.revisionHistoryLimit", value="3", kind="number")
    proposal = attempt(repository, files, ours)
    assert "changes an Application itself, and nothing that it renders" in proposal.body


# -- everything else that can win -------------------------------------------------------------------------------------

APP = """apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: shop}}
spec:
  source:
    repoURL: https://github.com/acme/shop
    path: chart
    helm:
      valueFiles: [values-a.yaml, values-b.yaml]
{extra}
  destination: {{namespace: shop}}
"""
SHOP = {
    ".gitops-bot.yaml": "render:\n  repositories: [https://github.com/acme/shop]\n",
    "chart/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
    "chart/values.yaml": "image:\n  tag: '1'\n  digest: ''\nunused: 1\n",
    "chart/values-a.yaml": "image:\n  tag: '2'\n",
    "chart/values-b.yaml": "other: x\n",
    "chart/templates/config.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n"
        "  image: \"api{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag }}{{ end }}\"\n"
    ),
}  # fmt: skip


def shop(extra="", **files):
    return {**SHOP, "apps/shop.yaml": APP.format(extra=extra), **files}


def write(file="chart/values-a.yaml", path="image.tag"):
    return ValueRequest(file=file, path=path, value="7")


def test_what_nothing_shadows_is_written(repository, helm):
    assert content(attempt(repository, shop(), write())) == {"chart/values-a.yaml": "image:\n  tag: '7'\n"}


@pytest.mark.parametrize(
    ("extra", "files", "item", "says"),
    [
        ("      valuesObject:\n        image:\n          tag: x", {}, write(), "apps/shop.yaml:12: helm.valuesObject sets it"),
        ("      values: |\n        image:\n          tag: x", {}, write(), "apps/shop.yaml:12: helm.values sets it"),
        ("      parameters:\n      - {name: image.tag, value: x}", {}, write(), "apps/shop.yaml:11: helm.parameters sets it"),
        ("", {"chart/values-b.yaml": "a: 1\nimage: {tag: x}\n"}, write(), "chart/values-b.yaml:2: a later value file sets it"),
        ("", {}, write("chart/values.yaml"), "chart/values-a.yaml:2: a later value file sets it"),
        ("", {"chart/values.yaml": "image:\n  digest: sha256:ab\n"}, write(), "nothing that it renders uses image.tag"),
        ("", {"chart/values-b.yaml": "image:\n  digest: sha256:ab\n"}, write(), "chart/values-b.yaml:2: image.digest pins the image"),
        ("", {}, write("chart/values.yaml", "unused"), "nothing that it renders uses unused of chart/values.yaml"),
        ("", {"chart/.argocd-source-shop.yaml": "helm:\n  parameters:\n  - name: image.tag\n    value: x\n"}, write(),
         "chart/.argocd-source-shop.yaml:4: helm.parameters sets it"),
    ],
)  # fmt: skip
def test_what_wins_is_named_by_file_and_line(repository, helm, extra, files, item, says):
    assert says in refused(repository, shop(extra, **files), item)


def test_an_edit_that_breaks_the_chart_is_refused(repository, helm):
    schema = '{"properties": {"image": {"properties": {"tag": {"type": "string", "maxLength": 2}}}}}'
    long = ValueRequest(file="chart/values-a.yaml", path="image.tag", value="much-too-long")
    assert "could not be rendered any more" in refused(repository, shop(**{"chart/values.schema.json": schema}), long)


def test_each_of_several_must_have_an_effect_of_its_own(repository, helm):
    said = refused(repository, shop(), write(), write("chart/values.yaml", "unused"))
    assert "chart/values.yaml#unused would change nothing" in said
    assert "values-a.yaml#image.tag" not in said


def test_a_target_that_stays_beside_one_that_changes_is_only_named(repository, helm):
    extra = "      parameters:\n      - {name: image.tag, value: x}"
    other = APP.format(extra=extra).replace("{name: shop}", "{name: fixed}")
    proposal = attempt(repository, shop(**{"apps/fixed.yaml": other}), write())
    assert "Renders differently: `shop`" in proposal.body
    assert "fixed renders as before" in proposal.body


def test_a_file_that_nothing_deployed_reads_is_said(repository, helm):
    proposal = attempt(repository, shop(**{"notes.yaml": "image:\n  tag: a\n"}), write("notes.yaml"))
    assert "nothing that is deployed from this repository reads notes.yaml" in proposal.body


def test_a_target_that_cannot_be_rendered_is_said(repository, helm):
    away = APP.format(extra="").replace("acme/shop", "acme/elsewhere").replace("{name: shop}", "{name: away}")
    files = {path: text for path, text in shop().items() if path != "apps/shop.yaml"}
    proposal = attempt(
        repository, {**files, "apps/away.yaml": away, ".gitops-bot.yaml": "fetch: {allow: []}\n"}, write()
    )
    assert "away could not be checked" in proposal.body


def test_a_kustomization_above_wins(repository, kustomize):
    pod = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers: [{name: c, image: ghcr.io/acme/api:1}]\n"
    )
    files = {
        "base/kustomization.yaml": "resources: [pod.yaml]\nimages:\n- name: ghcr.io/acme/api\n  newTag: '2'\n",
        "base/pod.yaml": pod,
        "overlay/kustomization.yaml": "resources: [../base]\nimages:\n- name: ghcr.io/acme/api\n  newTag: '3'\n",
    }
    item = ValueRequest(file="base/kustomization.yaml", path="images[name=ghcr.io/acme/api].newTag", value="9")
    overlay = ValueRequest(file="overlay/kustomization.yaml", path="images[name=ghcr.io/acme/api].newTag", value="9")
    assert isinstance(attempt(repository, files, overlay, name="one"), Proposal)
    said = refused(repository, files, item)
    assert "overlay/kustomization.yaml:4: " in said
    assert "another kustomization sets it" in said


# -- the tree in between ----------------------------------------------------------------------------------------------


def test_an_overlaid_tree_has_the_ids_of_git(repository):
    checkout = repository({"a/b.yaml": "x: 1\n", "a/c": "c", "d": "d"})
    with rendering(checkout.path) as (tree, _renderer):
        changed = overlaid(tree, {"a/b.yaml": b"x: 2\n"})
        assert changed.read("a/b.yaml") == b"x: 2\n"
        assert changed.blobs([changed.entry("a/b.yaml").oid, tree.entry("d").oid]).keys() == {
            changed.entry("a/b.yaml").oid, tree.entry("d").oid
        }  # fmt: skip
        assert (changed.entry("a/c"), changed.entry("d")) == (tree.entry("a/c"), tree.entry("d"))
        assert changed.entry("a").oid != tree.entry("a").oid
        assert changed.oid != tree.oid
        assert overlaid(tree, {}) is tree
    checkout.commit({"a/b.yaml": "x: 2\n"})
    assert checkout.git("rev-parse", "HEAD:a/b.yaml") == changed.entry("a/b.yaml").oid


# -- for whom it is written -------------------------------------------------------------------------------------------

ENVIRONMENTS = ("staging", "production")
SHARED = {
    ".gitops-bot.yaml": (
        "environments:\n  staging: {branch: main, applications: argocd/staging}\n"
        "  production: {branch: main, applications: argocd/production, protected: true}\n"
        "render:\n  repositories: [https://github.com/acme/shop]\n"
    ),
    "chart/Chart.yaml": SHOP["chart/Chart.yaml"],
    "chart/values.yaml": "image:\n  tag: v1\nextra: ''\n",
    "chart/templates/pod.yaml": (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - name: a\n"
        '    image: "ghcr.io/acme/shop:{{ .Values.image.tag }}"\n'
        "{{- if .Values.extra }}\n  - name: b\n    image: {{ .Values.extra }}\n{{- end }}\n"
    ),
    **{f"chart/{name}.yaml": f"name: {name}\n" for name in ENVIRONMENTS},
    **{
        f"argocd/{name}/app.yaml": APP.format(extra="      parameters:\n      - {name: extra, value: ''}")
        .replace("name: shop}", f"name: shop-{name}}}")
        .replace("values-a.yaml, values-b.yaml", f"{name}.yaml")
        for name in ENVIRONMENTS
    },
}
IMAGE = "ghcr.io/acme/shop"


def held_in(environment, version="v2"):
    return add_hold(None, Hold(what=IMAGE, version=version, why="w", by="b", environment=environment))


def test_a_shared_file_is_written_for_those_whose_targets_render_differently(repository, helm):
    item = ValueRequest(file="chart/values.yaml", path="image.tag", value="latest")
    said = refused(repository, SHARED, item, environment="staging", name="both")
    assert f"production is protected, and the tag latest of {IMAGE} can move" in said
    own = {**SHARED, "chart/production.yaml": "image:\n  tag: v1\n"}
    proposal = attempt(repository, own, item, environment="staging", name="one")
    assert "Renders differently: `shop-staging`" in proposal.body
    version = ValueRequest(file="chart/values.yaml", path="image.tag", value="v2")
    for environment in ENVIRONMENTS:
        files = {**SHARED, FILE: held_in(environment)}
        assert f"is held in {environment}" in refused(repository, files, version, name=f"held-{environment}")
    proposal = attempt(repository, {**own, FILE: held_in("production")}, version, name="elsewhere")
    assert isinstance(proposal, Proposal)


def test_environments_of_one_branch_are_told_apart_by_the_words_of_their_paths(repository, helm):
    settings = SHARED[".gitops-bot.yaml"]
    for name in ENVIRONMENTS:
        settings = settings.replace(f", applications: argocd/{name}", "")
    files = {**SHARED, ".gitops-bot.yaml": settings, "chart/staging.yaml": "image:\n  tag: v1\n"}
    item = ValueRequest(file="chart/staging.yaml", path="image.tag", value="latest")
    assert "Renders differently: `shop-staging`" in attempt(repository, files, item, name="own").body
    shared = ValueRequest(file="chart/values.yaml", path="image.tag", value="latest")
    assert "production is protected" in refused(repository, files, shared, name="shared")


def test_an_image_is_known_by_what_is_rendered_wherever_its_parts_stand(repository, helm):
    """No rule, no marker and no neighbour say what the parameter of an Application is of."""
    files = {**SHARED, FILE: held_in("staging")}
    parameters = "spec.source.helm.parameters[0].value"
    item = ValueRequest(file="argocd/staging/app.yaml", path=parameters, value=f"docker.io/x/y@sha256:{'0a' * 32}")
    assert isinstance(attempt(repository, files, item, name="other"), Proposal)
    files["argocd/staging/app.yaml"] = files["argocd/staging/app.yaml"].replace("name: extra", "name: image.tag")
    item = ValueRequest(file="argocd/staging/app.yaml", path=parameters, value="v2")
    assert f"{IMAGE} v2 is held in staging" in refused(repository, files, item, name="parameter")
    assert isinstance(attempt(repository, {**files, FILE: held_in("production")}, item, name="elsewhere"), Proposal)
    item = ValueRequest(file="argocd/production/app.yaml", path=parameters, value="nginx:latest")
    assert "the tag latest of nginx can move" in refused(repository, SHARED, item, name="moving")


def test_files_that_come_and_go_take_their_directories_along(repository):
    checkout = repository({"a/b/c.yaml": "x: 1\n", "a/d.yaml": "y: 1\n"})
    with rendering(checkout.path) as (tree, _renderer):
        changed = overlaid(tree, {"a/b/c.yaml": None, "a/e/f/g.yaml": b"z: 1\n", "gone.yaml": None})
        checkout.commit({"a/b/c.yaml": None, "a/e/f/g.yaml": "z: 1\n"})
        with rendering(checkout.path) as (real, _again):
            assert sorted(changed.entries) == sorted(real.entries)
            files = {path: entry for path, entry in real.entries.items() if entry.is_file}
            assert {path: changed.entries[path] for path in files} == files
            assert changed.read("a/e/f/g.yaml") == b"z: 1\n"
        back = overlaid(changed, {"a/b/c.yaml": b"x: 1\n", "a/e/f/g.yaml": None})
        assert sorted(back.entries) == sorted(tree.entries)
