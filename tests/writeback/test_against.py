"""What stands against a write is judged by what is written and where, in whatever words it was asked for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gitops_bot.model.settings import Environment, ImageRule, ImageWrite, ModelRule, ModelWrite, Settings
from gitops_bot.writeback.against import against
from gitops_bot.writeback.editor.address import parse
from gitops_bot.writeback.editor.leaves import Leaf
from gitops_bot.writeback.holds import FILE, Hold, add_hold, read_holds
from gitops_bot.writeback.places import Places
from gitops_bot.writeback.subjects import Moved, subjects
from tests.render.trees import tree_of

NOW = datetime(2026, 8, 20, 12, 0, tzinfo=UTC)
API = "ghcr.io/acme/api"
DIGEST = "sha256:" + "0a" * 32
SETTINGS = Settings(
    environments={"staging": Environment(branch="main"), "production": Environment(branch="main", protected=True)},
)


def judged(files, *changes, held=None, where=("staging",), settings=SETTINGS, links=None):
    """Why the values at (file, path) may not be what they are in the files."""
    holds = {FILE: add_hold(None, held)} if held else {}
    tree = tree_of({**files, **holds}, links)
    places = Places(tree)
    moved = [
        Moved(file, at, Leaf("something else", "string"), places.leaf(file, at))
        for file, at in ((file, parse(path)) for file, path in changes)
    ]
    found = subjects(settings, moved, tree)
    return against(found, read_holds(tree), tree, settings, where=lambda _file: where, now=NOW).reasons


def hold(version, what=API, **more):
    return Hold(what=what, version=version, why="it fails", by="ada", **more)


def rules(file="values.yaml", **write):
    return Settings(
        environments=SETTINGS.environments,
        images=(ImageRule(repository=API, write=(ImageWrite(file=file, **{"path": "image.tag", **write}),)),),
        models=(ModelRule(name="churn", write=(ModelWrite(file=file, version="model.version", path="model.path"),)),),
    )


# -- an image is known however it is written --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "text", "path"),
    [
        ("values.yaml", f"image: {{repository: {API}, tag: bad}}\n", "image.tag"),
        ("values.yaml", "image: {registry: ghcr.io, repository: acme/api, tag: bad}\n", "image.tag"),
        ("values.yaml", "image: {registry: ghcr.io, repository: acme/api, tag: bad}\n", "image.repository"),
        ("values.yaml", f"image: {API}:bad\n", "image"),
        ("values.yaml", f"image: {API}:bad@{DIGEST}\n", "image"),
        ("values.yaml", f"sidecar: GHCR.io:443/acme/api:bad@{DIGEST}\n", "sidecar"),
        ("values.yaml", f"image:\n  tag: bad # gitops-bot: image {API}:tag\n", "image.tag"),
        ("values.yaml", f"a:\n  b: x:bad # gitops-bot: image {API}\n", "a.b"),
        ("kustomization.yaml", f"images:\n- name: {API}\n  newTag: bad\n", f"images[name={API}].newTag"),
        ("kustomization.yaml", f"images:\n- name: {API}\n  newTag: bad\n", "images[0].newTag"),
        ("kustomization.yaml", f"images:\n- name: api\n  newName: {API}\n  newTag: bad\n", "images[0].newName"),
        ("app.yaml", f"spec: {{source: {{kustomize: {{images: ['api={API}:bad']}}}}}}\n", "spec.source.kustomize.images[0]"),
        ("pod.yaml", f"spec:\n  containers:\n  - name: a\n    image: {API}:bad\n", "spec.containers[0].image"),
        ("pod.yaml", f"values: |\n  image:\n    repository: {API}\n    tag: bad\n", "values | image.tag"),
    ],
)  # fmt: skip
def test_a_held_image_is_known_by_what_it_is_and_stands_beside(file, text, path):
    (reason,) = judged({file: text}, (file, path), held=hold("bad"))
    assert reason.startswith(f"{API} bad is held")
    assert not judged({file: text}, (file, path), held=hold("good"))
    assert not judged({file: text}, (file, path), held=hold("bad", what=f"{API}2"))


def test_a_policy_of_flux_says_which_image_a_value_is_of():
    policy = (
        "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata: {name: r, namespace: flux}\n"
        f"spec: {{image: {API}}}\n---\n"
        "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata: {name: p, namespace: flux}\n"
        "spec: {imageRepositoryRef: {name: r}}\n"
    )
    text = 'tag: bad # {"$imagepolicy": "flux:p:tag"}\n'
    assert judged({"flux.yaml": policy, "v.yaml": text}, ("v.yaml", "tag"), held=hold("bad"))


@pytest.mark.parametrize("path", ["image.tag", '"image"."tag"', "0: image.tag"])
def test_a_rules_place_is_known_in_every_spelling(path):
    assert judged({"values.yaml": "image: {tag: bad}\n"}, ("values.yaml", path), held=hold("bad"), settings=rules())


def test_a_rules_place_is_known_behind_a_link_and_in_every_environments_file():
    files = {"real.yaml": "image: {tag: bad}\n"}
    policy = rules("values-{environment}.yaml")
    links = {"values-production.yaml": "real.yaml"}
    assert judged(files, ("real.yaml", "image.tag"), held=hold("bad"), settings=policy, links=links)
    files = {"values-production.yaml": "image: {tag: bad}\n"}
    assert judged(files, ("values-production.yaml", "image.tag"), held=hold("bad"), settings=policy)


def test_a_digest_that_stays_counts_with_the_tag_that_comes():
    files = {"values.yaml": f"image: {{tag: new, digest: '{DIGEST}'}}\n"}
    assert judged(files, ("values.yaml", "image.tag"), held=hold(DIGEST), settings=rules(digest="image.digest"))


def test_what_another_rule_and_the_neighbour_call_it_counts_too():
    files = {"values.yaml": "image: {repository: mirror.example/api, tag: bad}\n"}
    for what in (API, "mirror.example/api"):
        assert judged(files, ("values.yaml", "image.tag"), held=hold("bad", what=what), settings=rules())


@pytest.mark.parametrize(
    "what", ["v.yaml#l[0].count", "v.yaml#l[name=a].count", "link.yaml#l[0].count", "./v.yaml#l[0].count"]
)
def test_a_hold_of_a_place_stands_against_every_way_to_it(what):
    files = {"v.yaml": "l:\n- name: a\n  count: 5\n- name: b\n  count: 5\n"}
    links = {"link.yaml": "v.yaml"}
    for path in ("l[0].count", "l[name=a].count"):
        for file in ("v.yaml", "link.yaml"):
            assert judged(files, (file, path), held=hold("5", what=what), links=links)
    assert not judged(files, ("v.yaml", "l[1].count"), held=hold("5", what=what), links=links)
    assert not judged(files, ("v.yaml", "l[0].count"), held=hold("6", what=what), links=links)


def test_a_model_is_held_by_its_rule_and_its_marker():
    text = "model:\n  version: v2{}\n  path: s3://m/v2/\n"
    held = hold("v2", what="churn")
    assert judged({"values.yaml": text.format("")}, ("values.yaml", "model.version"), held=held, settings=rules())
    # Another path for a held version is that version.
    assert judged({"values.yaml": text.format("")}, ("values.yaml", "model.path"), held=held, settings=rules())
    marked = text.format(" # gitops-bot: model churn:version")
    assert judged({"values.yaml": marked}, ("values.yaml", "model.version"), held=held)


# -- where ------------------------------------------------------------------------------------------------------------


def test_only_the_environments_that_are_written_for_count():
    files = {"values.yaml": f"image: {API}:latest\n"}
    change = ("values.yaml", "image")
    held = hold("latest", environment="staging")
    assert not judged(files, change, held=held, where=("development",))
    assert judged(files, change, held=held, where=("development", "staging"))
    assert not judged(files, change, where=("staging",))
    assert "production is protected, and the tag latest" in judged(files, change, where=("staging", "production"))[0]
    assert not judged({"values.yaml": f"image: {API}:latest@{DIGEST}\n"}, change, where=("production",))


def test_what_does_not_change_is_not_judged():
    tree = tree_of({"v.yaml": f"image: {API}:latest\n", FILE: add_hold(None, hold("latest"))})
    leaf = Leaf(f"{API}:latest", "string")
    found = subjects(SETTINGS, [Moved("v.yaml", parse("image"), leaf, leaf)], tree)
    assert not against(found, read_holds(tree), tree, SETTINGS, where=lambda _file: ("production",), now=NOW).reasons


MODELS = [
    ("v1.3.0", "s3://models/churn/v1.3.0/", "sha256:ab", ""),
    ("champion", "s3://models/churn/v1.3.0/", "a1", "the version champion of churn is an alias"),
    ("latest", "s3://models/churn/latest/", "a1", "the version latest of churn is an alias"),
    ("v1.3.0", "s3://models/churn/current/", "a1", "nothing in the path"),
    ("v1.3.0", "s3://models/churn/v1.3.01/", "a1", "nothing in the path"),
    ("v1.3.0", "s3://models/churn/1.3.0/model.bin", "a1", ""),
    ("v1.3.0", "s3://models/churn/current/?versionId=3HL4kqtJvjVBH40Nrjfkd", "a1", ""),
    ("v1.3.0", "mlflow-artifacts:/1/5cf670bff9f04f2e850646c6465d5fac/artifacts/model", "a1", ""),
    ("3", "models:/churn/3", "a1", ""),
    ("3", "models:/churn@champion", "a1", "the path models:/churn@champion of churn can move"),
    ("v12", "wandb-artifact://acme/churn/churn:v12", "a1", ""),
    ("v12", "wandb-artifact://acme/churn/churn:latest", "a1", "can move"),
    ("v1.3.0", "oci://ghcr.io/acme/churn@sha256:" + "ab" * 32, "a1", ""),
    ("v1.3.0", "s3://models/churn/v1.3.0/", "latest", "the data version latest of churn can move"),
    ("v1.3.0", "", "a1", ""),
]


@pytest.mark.parametrize(("version", "path", "data", "reason"), MODELS)
def test_what_can_move_of_a_model_is_refused_where_it_is_protected(version, path, data, reason):
    write = ModelWrite(file="v.yaml", version="version", path="path", data="data")
    policy = Settings(environments=SETTINGS.environments, models=(ModelRule(name="churn", write=(write,)),))
    files = {"v.yaml": f"version: '{version}'\npath: '{path}'\ndata: '{data}'\n"}
    found = judged(files, ("v.yaml", "version"), ("v.yaml", "path"), where=("production",), settings=policy)
    assert (reason in " ".join(found)) if reason else not found
    assert not judged(files, ("v.yaml", "version"), where=("staging",), settings=policy)
