"""Where a bump writes: by rules, markers, or what is found; and what it asks when that is not clear."""

from __future__ import annotations

import pytest

from gitops_bot.errors import UsageError
from gitops_bot.model.settings import Environment, ImageRule, ImageWrite, ModelRule, ModelWrite, Settings
from gitops_bot.writeback.bumps.bump import Nothing
from gitops_bot.writeback.bumps.request import BumpRequest, ModelRequest, ValueRequest, checked, parse_image
from gitops_bot.writeback.bumps.rules import plan
from gitops_bot.writeback.refused import Refused
from tests.render.trees import tree_of
from tests.writeback.bumps.place import API, VALUES, bumped, content

DIGEST = "sha256:" + "0a" * 32
OLD_DIGEST = "sha256:" + "0b" * 32
NO_RULES = Settings()


def rule(path="image.tag", digest=None, file="values.yaml", repository=API, order="exact"):
    write = ImageWrite(file=file, path=path, digest=digest)
    return Settings(images=(ImageRule(repository=repository, order=order, write=(write,)),))


def written(files, image, policy=NO_RULES, **request):
    return content(bumped(tree_of(files), parse_image(image), policy=policy, **request))


# -- with rules -------------------------------------------------------------------------------------------------------


def test_tag_and_digest_go_to_the_environments_file():
    files = {VALUES.format(name): "image:\n  tag: old\n  digest: ''\n" for name in ("staging", "production")}
    policy = rule(digest="image.digest", file=VALUES.replace("{}", "{environment}"))
    found = written(files, f"{API}:v1@{DIGEST}", policy, environment="staging")
    assert found == {VALUES.format("staging"): f"image:\n  tag: v1\n  digest: '{DIGEST}'\n"}


def test_a_digest_is_added_beside_the_tag():
    assert written({"values.yaml": "image:\n  tag: old\n"}, f"{API}:v1@{DIGEST}", rule(digest="image.digest")) == {
        "values.yaml": f"image:\n  tag: v1\n  digest: {DIGEST}\n"
    }


def test_a_digest_of_the_old_image_does_not_stay():
    files = {"values.yaml": f"image:\n  tag: old\n  digest: {OLD_DIGEST}  # pins\n"}
    found = written(files, f"{API}:v1", rule(digest="image.digest"))
    assert found == {"values.yaml": 'image:\n  tag: v1\n  digest: ""  # pins\n'}


def test_a_digest_of_a_kustomization_is_taken_out():
    files = {"kustomization.yaml": f"images:\n- name: {API}\n  newTag: old\n  digest: {OLD_DIGEST}\n"}
    paths = [f"images[name={API}].{key}" for key in ("newTag", "digest")]
    assert written(files, f"{API}:v1", rule(*paths, file="kustomization.yaml")) == {
        "kustomization.yaml": f"images:\n- name: {API}\n  newTag: v1\n"
    }


def test_a_whole_reference_keeps_its_name():
    files = {"values.yaml": f"image: docker.io/library/redis:6@{OLD_DIGEST}\n"}
    found = written(files, "redis:7", rule(path="image", repository="redis"))
    assert found == {"values.yaml": "image: docker.io/library/redis:7\n"}
    assert written(files, f"redis:7@{DIGEST}", rule(path="image", repository="redis")) == {
        "values.yaml": f"image: docker.io/library/redis:7@{DIGEST}\n"
    }


def test_two_rules_and_two_places_are_one_commit():
    policy = Settings(images=rule().images + rule(file="other.yaml").images)
    files = {"values.yaml": "image: {tag: a}\n", "other.yaml": "image: {tag: b}\n"}
    assert sorted(written(files, f"{API}:v1", policy)) == ["other.yaml", "values.yaml"]


def test_values_of_number_and_boolean_stay_what_they_are():
    tree = tree_of({"v.yaml": "replicas: 2\non: false\n"})
    items = (
        ValueRequest(file="v.yaml", path="replicas", value="3", kind="number"),
        ValueRequest(file="v.yaml", path="on", value="true", kind="boolean"),
    )
    assert content(bumped(tree, *items)) == {"v.yaml": "replicas: 3\non: true\n"}


@pytest.mark.parametrize(
    ("there", "asked", "then"),
    [
        ("2", "3", "3"),
        ("2", "0.5", "0.5"),
        ("false", "true", "true"),
        ("1.9", "1.10", '"1.10"'),  # 1.1 is another version
        ("20240101", "020240102", '"020240102"'),
        ("2", "two", "two"),
        ("no", "yes", '"yes"'),
        ('"2"', "3", '"3"'),
        ("v1", "3", '"3"'),
        ("", "3", '"3"'),
        ("!!str 2", "3", '!!str "3"'),
    ],
)
def test_a_value_of_unknown_kind_is_what_was_there(there, asked, then):
    tree = tree_of({"v.yaml": f"a: {there}\n"})
    assert content(bumped(tree, ValueRequest(file="v.yaml", path="a", value=asked))) == {"v.yaml": f"a: {then}\n"}


def test_a_number_that_is_there_already_is_left_alone():
    found = bumped(tree_of({"v.yaml": "a: 2\n"}), ValueRequest(file="v.yaml", path="a", value="2"))
    assert isinstance(found, Nothing)


def test_text_that_is_asked_for_as_text_is_text():
    item = ValueRequest(file="v.yaml", path="a", value="3", kind="string")
    assert content(bumped(tree_of({"v.yaml": "a: 2\n"}), item)) == {"v.yaml": 'a: "3"\n'}


# -- what is refused --------------------------------------------------------------------------------------------------


def fails(kind, files, *items, policy=NO_RULES, **request):
    with pytest.raises(kind) as caught:
        plan(tree_of(files), BumpRequest(items=items, **request), policy)
    return f"{caught.value.message} {caught.value.hint}"


def test_an_environment_that_nobody_knows():
    assert "there are development, staging, production" in fails(UsageError, {}, parse_image("a:1"), environment="prod")


def test_a_rule_that_needs_an_environment_asks_for_it():
    policy = rule(file="values-{environment}.yaml")
    assert "--environment: development, staging, production" in fails(
        UsageError, {}, parse_image(f"{API}:1"), policy=policy
    )


def test_a_file_that_is_not_there():
    assert "values.yaml is not there" in fails(Refused, {"x": ""}, parse_image(f"{API}:1"), policy=rule())
    up = ValueRequest(file="link/../../x.yaml", path="a", value="1")
    assert "is not there, or is no file" in fails(Refused, {"x": ""}, up)


def test_a_wrong_path_in_the_settings():
    assert "'image..tag' is no address" in fails(
        UsageError, {"values.yaml": "a: 1\n"}, parse_image(f"{API}:1"), policy=rule(path="image..tag")
    )


def test_a_model_is_written_whole_or_not():
    write = ModelWrite(file="v.yaml", version="model.version", path="model.path", data="model.data")
    policy = Settings(models=(ModelRule(name="m", write=(write,)),))
    files = {"v.yaml": "model:\n  version: v1\n  path: s3://m/v1/\n  data: a1\n"}
    said = fails(Refused, files, ModelRequest(name="m", version="v2"), policy=policy)
    assert "the storage path of m is missing" in said
    assert "the data version of m is missing" in said
    found = bumped(tree_of(files), ModelRequest(name="m", version="v2", path="s3://m/v2/", data="b2"), policy=policy)
    assert content(found) == {"v.yaml": "model:\n  version: v2\n  path: s3://m/v2/\n  data: b2\n"}
    assert found.subject == "chore: deploy model v2"
    assert "there are: m" in fails(UsageError, files, ModelRequest(name="x", version="v2"), policy=policy)


# -- without rules ----------------------------------------------------------------------------------------------------

BASE = f"image:\n  repository: {API}\n  tag: ''\n"
CHART = {
    "chart/values.yaml": BASE,
    "chart/values-staging.yaml": "image:\n  tag: old\n",
    "chart/values-production.yaml": "image:\n  tag: old\n",
    "chart/templates/x.yaml": f"image: {API}:{{{{ .Values.image.tag }}}}\n",
    "chart/other.yaml": "image:\n  repository: ghcr.io/acme/other\n  tag: x\n",
}


def test_the_environments_file_beside_the_chart_is_found():
    assert written(CHART, f"{API}:v1", environment="staging") == {"chart/values-staging.yaml": "image:\n  tag: v1\n"}


def test_several_places_are_listed_and_refused():
    said = fails(UsageError, CHART, parse_image(f"{API}:v1"))
    for place in (
        "chart/values.yaml:3: image.tag",
        "chart/values-staging.yaml:2: image.tag",
        "values-production.yaml:2",
    ):
        assert place in said
    assert "other.yaml" not in said
    assert "templates" not in said


def test_an_image_that_nobody_has():
    assert "no file of values has it" in fails(UsageError, CHART, parse_image("ghcr.io/acme/none:v1"))


def test_a_place_of_another_environment_is_not_taken():
    files = {"apps/production/values.yaml": BASE}
    said = fails(UsageError, files, parse_image(f"{API}:v1"), environment="staging")
    assert "only places of other environments have it" in said
    assert "apps/production/values.yaml:3" in said


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("v.yaml", BASE, f"image:\n  repository: {API}\n  tag: 'v1'\n"),
        ("v.yaml", "image:\n  registry: ghcr.io\n  repository: acme/churn-api\n  tag: x\n",
         "image:\n  registry: ghcr.io\n  repository: acme/churn-api\n  tag: v1\n"),
        ("kustomization.yaml", f"images:\n- name: app\n  newName: {API}\n  newTag: x\n",
         f"images:\n- name: app\n  newName: {API}\n  newTag: v1\n"),
        ("kustomization.yaml", f"images:\n- {{name: {API}, newTag: x}}\n", f"images:\n- {{name: {API}, newTag: v1}}\n"),
        ("pod.yaml", f"spec:\n  containers:\n  - image: {API}:x\n", f"spec:\n  containers:\n  - image: {API}:v1\n"),
        ("v.yaml", f"api:\n- repository: {API}\n  tag: x\n", f"api:\n- repository: {API}\n  tag: v1\n"),
    ],
)  # fmt: skip
def test_every_usual_form_is_found(file, before, after):
    assert written({file: before}, f"{API}:v1") == {file: after}


def test_two_images_of_one_name_in_a_file_are_not_guessed():
    files = {"v.yaml": f"api:\n- repository: {API}\n  tag: x\n- repository: {API}\n  tag: y\n"}
    assert "v.yaml:3: " in fails(UsageError, files, parse_image(f"{API}:v1"))


def test_markers_go_before_names():
    files = {
        "a.yaml": f"tag: x  # gitops-bot: image {API}:tag\nb: y  # gitops-bot: image {API}:digest\n",
        "b.yaml": BASE,
    }
    assert written(files, f"{API}:v1@{DIGEST}") == {
        "a.yaml": f"tag: v1  # gitops-bot: image {API}:tag\nb: {DIGEST}  # gitops-bot: image {API}:digest\n"
    }


def test_policies_of_flux_lead_to_their_markers():
    files = {
        "flux.yaml": (
            "kind: ImageRepository\nmetadata: {name: api, namespace: flux-system}\n"
            f"spec: {{image: {API}}}\n---\nkind: ImagePolicy\nmetadata: {{name: api, namespace: flux-system}}\n"
            "spec: {imageRepositoryRef: {name: api}}\n"
        ),
        "a.yaml": 'tag: x # {"$imagepolicy": "flux-system:api:tag"}\nother: x # {"$imagepolicy": "flux-system:b:tag"}\n',
    }  # fmt: skip
    assert written(files, f"{API}:v1")["a.yaml"].startswith("tag: v1 #")
    assert "other: x" in written(files, f"{API}:v1")["a.yaml"]


def test_markers_of_a_model():
    files = {
        "v.yaml": "version: v1 # gitops-bot: model m:version\npath: s3://m/v1/ # gitops-bot: model m:path\n",
    }
    found = bumped(tree_of(files), ModelRequest(name="m", version="v2", path="s3://m/v2/"), policy=NO_RULES)
    assert "version: v2 #" in content(found)["v.yaml"]
    assert "path: s3://m/v2/ #" in content(found)["v.yaml"]


def test_files_that_cannot_be_read_are_passed_over():
    files = {"bad.yaml": f"{API}: [\n", "b.yaml": BASE, ".github/workflows/x.yaml": BASE, "x.txt": BASE}
    assert list(written(files, f"{API}:v1")) == ["b.yaml"]


def test_environments_are_the_settings_own():
    policy = Settings(environments={"eu": Environment(branch="main"), "us": Environment(branch="main")})
    files = {f"values-{name}.yaml": "image:\n  tag: x\n" for name in ("eu", "us")} | {"values.yaml": BASE}
    assert list(written(files, f"{API}:v1", policy, environment="eu")) == ["values-eu.yaml"]


# -- spellings --------------------------------------------------------------------------------------------------------

SPELLINGS = ["nginx", "docker.io/nginx", "index.docker.io/library/nginx", "DOCKER.io:443/library/nginx"]
PLACES = {
    "values.yaml": ("image:\n  repository: {}\n  tag: old\n", "tag: old", "tag: v1"),
    "kustomization.yaml": ("images:\n- name: {}\n  newTag: old\n", "newTag: old", "newTag: v1"),
    "pod.yaml": ("image: {}:old\n", ":old", ":v1"),
    "marked.yaml": ("tag: old  # gitops-bot: image {}:tag\n", "tag: old", "tag: v1"),
}


@pytest.mark.parametrize("asked", SPELLINGS)
@pytest.mark.parametrize("there", SPELLINGS)
def test_an_image_is_found_under_every_spelling_and_keeps_its_own(asked, there):
    for path, (text, old, new) in PLACES.items():
        data = text.format(there)
        assert written({path: data}, f"{asked}:v1") == {path: data.replace(old, new)}
    assert written({"v.yaml": "t: old\n"}, f"{asked}:v1", rule(path="t", file="v.yaml", repository=there))


def test_a_host_that_stands_apart_belongs_to_the_name():
    data = "image:\n  registry: {}\n  repository: {}\n  tag: old\n"
    for registry, repository in (("docker.io", "library/nginx"), ("index.docker.io", "nginx"), ("''", "nginx")):
        assert written({"values.yaml": data.format(registry, repository)}, "nginx:v1")
    said = fails(UsageError, {"values.yaml": data.format("ghcr.io", "nginx")}, parse_image("nginx:v1"))
    assert "no file of values has it" in said


def test_one_image_in_two_spellings_is_asked_for_twice():
    with pytest.raises(UsageError, match=r"docker\.io/nginx is asked for twice"):
        checked((parse_image("nginx:1"), parse_image("docker.io/nginx:2")))
