"""Generators on trees of real repositories: what Argo CD would find, in order, and named refusals."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_bot.doors.git import Repository
from gitops_bot.errors import FetchError, RenderError
from gitops_bot.model.tree import Tree
from gitops_bot.render.applicationsets import fasttemplate, merging
from gitops_bot.render.applicationsets.generators import MAX_APPLICATIONS, Context, generate
from gitops_bot.render.applicationsets.gitparams import matching_directories, matching_files, normalize_name
from gitops_bot.render.applicationsets.selectors import matches

OWN = "https://github.com/acme/deploy.git"
OTHER = "https://github.com/acme/other.git"


class Elsewhere:
    """Sources from elsewhere: one other repository, under two revisions."""

    def __init__(self, trees: Mapping[tuple[str, str], Tree]) -> None:
        self.trees = trees

    def git(self, url: str, revision: str) -> Tree:
        if (url, revision) not in self.trees:
            raise FetchError(f"{url} at {revision} is not to be had")
        return self.trees[url, revision]

    def chart(self, repository: str, name: str, version: str) -> Tree:
        raise AssertionError("generators read no charts")

    def file(self, url: str) -> bytes:
        raise AssertionError("generators read no URLs")


def fast(batch: Any) -> list[str]:
    return [fasttemplate.render(text, params) for text, params in batch]


FILES = {
    "addons/cert-manager/Chart.yaml": "name: cert-manager\n",
    "addons/external_DNS/deep/down.txt": "",
    "addons/.hidden/x.txt": "",
    "addons/broken/x.txt": "",
    "addons/file.txt": "",
    "clusters/eu/prod/config.json": '{"cluster": {"name": "eu-prod", "size": 3, "big": 1000000}, "tags": ["a", "b"]}',
    "clusters/eu/dev/config.json": '[{"cluster": {"name": "eu-dev-1"}}, {"cluster": {"name": "eu-dev-2"}}]',
    "clusters/us/config.json": "cluster: {name: us}\n",
    "clusters/empty.yaml": "",
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    path = tmp_path_factory.mktemp("generators")
    with Repository(str(committed(path, FILES))) as opened:
        yield opened.working_tree()


def committed(path: Path, files: Mapping[str, str]) -> Path:
    """A Git repository whose working tree has these files."""
    from subprocess import run

    for name, content in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    run(["git", "init", "--quiet", str(path)], check=True)
    return path


def context(tree: Tree, *, nested: bool = False) -> Context:
    return Context(tree, OWN.__eq__, Elsewhere({(OTHER, "v1"): tree}), fast, nested)


def params(entry: Mapping[str, Any], tree: Tree, *, nested: bool = False) -> list[Any]:
    return [each for generated in generate(entry, context(tree, nested=nested)) for each in generated.params]


def git(**fields: Any) -> dict[str, Any]:
    return {"git": {"repoURL": OWN, "revision": "HEAD", **fields}}


# -- git directories --------------------------------------------------------------------------------------------------


def test_directories_have_the_documented_params(tree: Tree) -> None:
    entry = git(directories=[{"path": "addons/*"}, {"path": "addons/broken", "exclude": True}])
    assert params(entry, tree) == [
        {
            "path": "addons/cert-manager",
            "path.basename": "cert-manager",
            "path.basenameNormalized": "cert-manager",
            "path[0]": "addons",
            "path[1]": "cert-manager",
        },
        {
            "path": "addons/external_DNS",
            "path.basename": "external_DNS",
            "path.basenameNormalized": "external-dns",
            "path[0]": "addons",
            "path[1]": "external_DNS",
        },
    ]
    nested = params(git(directories=[{"path": "addons/cert*"}]), tree, nested=True)
    assert nested == [
        {
            "path": {
                "path": "addons/cert-manager",
                "basename": "cert-manager",
                "basenameNormalized": "cert-manager",
                "segments": ["addons", "cert-manager"],
            }
        }
    ]


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        (["*"], ["addons", "clusters"]),
        (["addons/*/*"], ["addons/external_DNS/deep"]),
        (["clusters/e?"], ["clusters/eu"]),
        (["clusters/[^u]*", "clusters/us"], ["clusters/eu", "clusters/us"]),
        (["addons/.hidden", "addons/file.txt", "nowhere/*"], []),
        (["**"], ["addons", "clusters"]),
        ([r"addons\/broken"], ["addons/broken"]),
    ],
)
def test_directory_patterns(tree: Tree, patterns: list[str], found: list[str]) -> None:
    assert matching_directories(tree, [{"path": pattern} for pattern in patterns]) == found


def test_an_exclude_wins_wherever_it_stands(tree: Tree) -> None:
    patterns: list[dict[str, Any]] = [
        {"path": "addons/broken", "exclude": True},
        {"path": "addons/*"},
        {"path": "addons/broken"},
    ]
    assert "addons/broken" not in matching_directories(tree, patterns)


def test_a_prefix_keeps_two_git_generators_apart(tree: Tree) -> None:
    flat = params(git(directories=[{"path": "clusters/us"}], pathParamPrefix="here"), tree)
    assert flat[0]["here.path"] == "clusters/us"
    assert flat[0]["here.path[1]"] == "us"
    nested = params(git(directories=[{"path": "clusters/us"}], pathParamPrefix="here"), tree, nested=True)
    assert nested[0]["here"]["path"]["basename"] == "us"


def test_values_are_templated_with_the_params_only(tree: Tree) -> None:
    entry = git(directories=[{"path": "clusters/us"}], values={"a": "x-{{path.basename}}", "b": "{{values.a}}"})
    assert params(entry, tree)[0] | {"values.a": "x-us", "values.b": "{{values.a}}"} == params(entry, tree)[0]
    assert params(entry, tree, nested=True)[0]["values"]["b"] == "{{values.a}}"


# -- git files --------------------------------------------------------------------------------------------------------


def test_files_have_their_content_and_path(tree: Tree) -> None:
    found = params(git(files=[{"path": "clusters/eu/prod/config.json"}]), tree)
    assert found == [
        {
            "cluster.name": "eu-prod",
            "cluster.size": "3",
            "cluster.big": "1e+06",
            "tags.0": "a",
            "tags.1": "b",
            "path": "clusters/eu/prod",
            "path.basename": "prod",
            "path.basenameNormalized": "prod",
            "path.filename": "config.json",
            "path.filenameNormalized": "config.json",
            "path[0]": "clusters",
            "path[1]": "eu",
            "path[2]": "prod",
        }
    ]
    nested = params(git(files=[{"path": "clusters/eu/prod/config.json"}]), tree, nested=True)
    assert nested[0]["cluster"] == {"name": "eu-prod", "size": 3, "big": 1_000_000}
    assert nested[0]["path"]["filename"] == "config.json"


def test_a_list_in_a_file_is_many_and_an_empty_file_one(tree: Tree) -> None:
    found = params(git(files=[{"path": "clusters/eu/dev/*"}, {"path": "clusters/empty.yaml"}]), tree)
    assert [each.get("cluster.name") for each in found] == [None, "eu-dev-1", "eu-dev-2"]


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        (
            ["clusters/*/config.json"],
            ["clusters/eu/dev/config.json", "clusters/eu/prod/config.json", "clusters/us/config.json"],
        ),
        (["**/us/config.json"], ["clusters/us/config.json"]),
        (["clusters/us"], ["clusters/us/config.json"]),
        (["clusters/us/"], ["clusters/us/config.json"]),
        (["config.json"], []),
        (["addons/.hidden/*"], ["addons/.hidden/x.txt"]),
    ],
)
def test_file_patterns_are_gits(tree: Tree, patterns: list[str], found: list[str]) -> None:
    assert matching_files(tree, [{"path": pattern} for pattern in patterns]) == found


def test_files_can_be_excluded(tree: Tree) -> None:
    patterns: list[dict[str, Any]] = [{"path": "clusters/**/config.json"}, {"path": "clusters/eu/*", "exclude": True}]
    assert matching_files(tree, patterns) == ["clusters/us/config.json"]


def test_another_repository_is_read_at_its_revision(tree: Tree) -> None:
    entry = {"git": {"repoURL": OTHER, "revision": "v1", "directories": [{"path": "clusters/us"}]}}
    assert params(entry, tree)[0]["path"] == "clusters/us"
    with pytest.raises(FetchError, match="at HEAD is not to be had"):
        params({"git": {"repoURL": OTHER, "directories": [{"path": "*"}]}}, tree)


# -- list, matrix, merge, selector ------------------------------------------------------------------------------------

LIST = {"list": {"elements": [{"cluster": "eu", "values": {"tier": "gold"}}, {"cluster": "us"}]}}


def test_list_elements(tree: Tree) -> None:
    assert params(LIST, tree) == [{"cluster": "eu", "values.tier": "gold"}, {"cluster": "us"}]
    assert params(LIST, tree, nested=True) == LIST["list"]["elements"]
    more = {"list": {"elements": [{"a": "1"}], "elementsYaml": "- a: '2'\n- {a: '3'}\n"}}
    assert [each["a"] for each in params(more, tree)] == ["1", "2", "3"]


def test_matrix_is_every_pair_in_order(tree: Tree) -> None:
    matrix = {"matrix": {"generators": [LIST, git(directories=[{"path": "addons/c*"}, {"path": "addons/b*"}])]}}
    found = params(matrix, tree)
    assert [(each["cluster"], each["path.basename"]) for each in found] == [
        ("eu", "broken"), ("eu", "cert-manager"), ("us", "broken"), ("us", "cert-manager"),
    ]  # fmt: skip


def test_the_second_generator_of_a_matrix_sees_the_first_ones_params(tree: Tree) -> None:
    matrix = {"matrix": {"generators": [LIST, git(files=[{"path": "clusters/{{cluster}}/config.json"}])]}}
    assert [(each["cluster"], each["cluster.name"]) for each in params(matrix, tree)] == [("us", "us")]


def test_a_matrix_that_contradicts_itself_is_refused_without_go_templates(tree: Tree) -> None:
    other = {"list": {"elements": [{"cluster": "else", "only": "b"}]}}
    matrix = {"matrix": {"generators": [LIST, other]}}
    with pytest.raises(RenderError, match="both set cluster"):
        params(matrix, tree)
    assert [each["cluster"] for each in params(matrix, tree, nested=True)] == ["eu", "us"]


def test_matrix_in_matrix(tree: Tree) -> None:
    inner = {"matrix": {"generators": [LIST, {"list": {"elements": [{"env": "dev"}, {"env": "prod"}]}}]}}
    outer = {"matrix": {"generators": [inner, {"list": {"elements": [{"app": "a"}]}}]}}
    assert [(each["cluster"], each["env"], each["app"]) for each in params(outer, tree)][:2] == [
        ("eu", "dev", "a"),
        ("eu", "prod", "a"),
    ]


def test_merge_overrides_by_key_and_adds_none(tree: Tree) -> None:
    over = {"list": {"elements": [{"cluster": "us", "size": "9"}, {"cluster": "nowhere", "size": "1"}]}}
    base = {"list": {"elements": [{"cluster": "eu", "size": "1"}, {"cluster": "us", "size": "2"}]}}
    merge = {"merge": {"mergeKeys": ["cluster"], "generators": [base, over]}}
    assert params(merge, tree) == [{"cluster": "eu", "size": "1"}, {"cluster": "us", "size": "9"}]
    twice = {"merge": {"mergeKeys": ["size"], "generators": [{"list": {"elements": [{"size": "1"}] * 2}}, over]}}
    with pytest.raises(RenderError, match="same size"):
        params(twice, tree)


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ({"matchLabels": {"cluster": "eu"}}, ["eu"]),
        ({"matchLabels": {"values.tier": "gold"}}, ["eu"]),
        ({"matchExpressions": [{"key": "cluster", "operator": "In", "values": ["us", "x"]}]}, ["us"]),
        ({"matchExpressions": [{"key": "values.tier", "operator": "NotIn", "values": ["gold"]}]}, ["us"]),
        ({"matchExpressions": [{"key": "values.tier", "operator": "Exists"}]}, ["eu"]),
        ({"matchExpressions": [{"key": "values.tier", "operator": "DoesNotExist"}]}, ["us"]),
        ({}, ["eu", "us"]),
    ],
)
def test_selectors(tree: Tree, selector: dict[str, Any], found: list[str]) -> None:
    for nested in (False, True):
        assert [each["cluster"] for each in params({**LIST, "selector": selector}, tree, nested=nested)] == found


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"clusters": {}}, "the clusters generator needs a capability snapshot"),
        ({"pullRequest": {"github": {}}}, "the pullRequest generator"),
        ({"scmProvider": {}}, "the scmProvider generator"),
        ({"plugin": {}}, "the plugin generator"),
        ({"clusterDecisionResource": {}}, "the clusterDecisionResource generator"),
        ({"matrix": {"generators": [LIST, {"clusters": {}}]}}, "the clusters generator"),
        ({"gti": {}}, "unknown generator gti"),
        ({}, "names no generator"),
        ({"list": []}, "not a mapping"),
        ({"git": {"directories": []}}, "no repoURL"),
        (git(), "neither directories nor files"),
        (git(files=[{"path": "addons/cert-manager/Chart.yaml"}, {"path": "addons/[x"}]), "[ without ]"),
        ({"list": {"elements": [{"a": 1}]}}, "not a string"),
        ({"list": {"elements": "x"}}, "elements is not a list"),
        ({"list": {"elementsYaml": "{"}}, "elementsYaml is not YAML"),
        ({"matrix": {"generators": [LIST]}}, "exactly two"),
        ({"merge": {"generators": [LIST, LIST]}}, "no mergeKeys"),
        ({**LIST, "selector": {"matchExpressions": [{"key": "a", "operator": "Gt"}]}}, "unknown operator Gt"),
    ],
)
def test_refusals_name_the_generator(tree: Tree, entry: dict[str, Any], reason: str) -> None:
    with pytest.raises(RenderError) as failure:
        params(entry, tree)
    assert reason in failure.value.message


def test_a_matrix_too_large_is_refused_quickly(tree: Tree) -> None:
    long = {"list": {"elements": [{"a": str(number)} for number in range(5000)]}}
    other = {"list": {"elements": [{"b": str(number)} for number in range(5000)]}}
    started = time.monotonic()
    with pytest.raises(RenderError, match=f"{MAX_APPLICATIONS:,}"):
        params({"matrix": {"generators": [long, other]}}, tree)
    assert time.monotonic() - started < 5


def test_generators_that_nest_without_end_are_refused(tree: Tree) -> None:
    entry: dict[str, Any] = LIST
    for _ in range(50):
        entry = {"matrix": {"generators": [entry, LIST]}}
    with pytest.raises(RenderError, match="nest deeper"):
        params(entry, tree)


def test_a_hostile_pattern_is_cheap(repository: Callable[..., Any]) -> None:
    made = repository({"a" * 200 + "/" + "a" * 200 + "/x.yaml": "a: 1\n"})
    with Repository(str(made.path)) as opened:
        one = opened.tree("HEAD")
        started = time.monotonic()
        assert matching_files(one, [{"path": "*a" * 40 + "b"}]) == []
        assert matching_directories(one, [{"path": "*a" * 40 + "b"}, {"path": "*?" * 40 + "/b"}]) == []
        assert time.monotonic() - started < 2


@settings(max_examples=60)
@given(
    pattern=st.text(alphabet="ab*?/", min_size=1, max_size=8),
    names=st.sets(st.text(alphabet="ab/", min_size=1, max_size=8)),
)
def test_patterns_match_as_a_plain_reading_says(pattern: str, names: set[str]) -> None:
    """Against a reading that tries everything."""
    from gitops_bot.render.applicationsets.gitparams import _glob

    def fits(glob: str, text: str, wide: bool) -> bool:
        if not glob:
            return not text
        if glob[0] == "*":
            return fits(glob[1:], text, wide) or (text[:1] not in ("", *"/"[wide:]) and fits(glob, text[1:], wide))
        if not text or (glob[0] != text[0] and (glob[0] != "?" or (text[0] == "/" and not wide))):
            return False
        return fits(glob[1:], text[1:], wide)

    for name in names:
        assert bool(_glob(pattern, "[^/]").fullmatch(name)) == fits(pattern, name, False), (pattern, name)
        assert bool(_glob(pattern, "(?s:.)").fullmatch(name)) == fits(pattern, name, True), (pattern, name)


def test_names_are_normalised_as_argo_cd_does() -> None:
    assert normalize_name("My_App.X") == "my-app.x"
    assert normalize_name("--é--") == ""
    assert len(normalize_name("a" * 300)) == 253


def test_selectors_of_a_wrong_shape_are_refused() -> None:
    for wrong in ("x", {"matchLabels": ["x"]}, {"matchExpressions": ["x"]}):
        with pytest.raises(RenderError, match="selector"):
            matches(wrong, {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{path.basename}}-{{ path[0] }}", "web-apps"),
        ("{{unknown}} {{ also.unknown }}", "{{unknown}} {{ also.unknown }}"),
        ("no {{ end", "no {{ end"),
        ("}} {{", "}} {{"),
        ("{{{{path[0]}}}}", "{{{{path[0]}}}}"),
        ("{{}}{{ }}", "{{}}{{ }}"),
    ],
)
def test_placeholders(text: str, expected: str) -> None:
    assert fasttemplate.render(text, {"path.basename": "web", "path[0]": "apps"}) == expected


def test_a_placeholder_without_end_after_a_whole_one_is_refused() -> None:
    with pytest.raises(RenderError, match="without"):
        fasttemplate.render("{{a}} {{", {})


def test_a_text_full_of_placeholders_is_cheap() -> None:
    started = time.monotonic()
    assert len(fasttemplate.render("{{a}}{{b}} " * 200_000, {"a": "x"})) == 200_000 * len("x{{b}} ")
    assert time.monotonic() - started < 5


def test_merging() -> None:
    assert merging.fill({"a": {"b": "", "c": 1}}, {"a": {"b": 2, "c": 3}, "d": []}) == {"a": {"b": 2, "c": 1}, "d": []}
    assert merging.override({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}) == {"a": {"b": 3, "c": 2}}
    document = {"metadata": {"name": "x", "finalizers": ["a"]}, "spec": {"l": [1], "m": {"k": 1, "gone": 2}}}
    change = {
        "metadata": {"finalizers": ["b", "a"]},
        "spec": {"l": [2], "m": {"gone": None, "new": {"z": None, "y": 1}}},
    }
    assert merging.patch(document, change) == {
        "metadata": {"name": "x", "finalizers": ["a", "b"]},
        "spec": {"l": [2], "m": {"k": 1, "new": {"y": 1}}},
    }
    assert merging.patch(document, {"spec": {"$patch": "replace", "l": []}})["spec"] == {"l": []}
