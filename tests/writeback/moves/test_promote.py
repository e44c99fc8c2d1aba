"""Promotions on the example repository, and on repositories that make them hard."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from gitops_bot.doors.git import Repository
from gitops_bot.errors import UsageError
from gitops_bot.manifests import yaml
from gitops_bot.model.github import CommitInfo, Commits, Tag
from gitops_bot.model.settings import Settings
from gitops_bot.model.tree import Entry, Tree
from gitops_bot.model.writeback import Head
from gitops_bot.render.settings import read_settings
from gitops_bot.writeback.editor.problems import EditRefused
from gitops_bot.writeback.environments import Pair
from gitops_bot.writeback.holds import FILE, Hold, add_hold
from gitops_bot.writeback.moves.code import Code, Origins, Span
from gitops_bot.writeback.moves.copying import copy_values
from gitops_bot.writeback.moves.gates import Gate
from gitops_bot.writeback.moves.promote import (
    Nothing,
    Promotion,
    Scene,
    promote,
    route,
    tag_after_merge,
)
from gitops_bot.writeback.moves.recorded import recorded
from gitops_bot.writeback.refused import Refused
from gitops_bot.writeback.sources import Built

EXAMPLE = Path(__file__).parents[3] / "examples" / "churn-mlops"
VALUES = "k8s/helm/churn-mlops/values-{}.yaml"
NOW = datetime(2026, 8, 5, 12, 0, tzinfo=UTC)
NEW_MODEL = "sha256:" + "0badc0de" * 8


def example() -> dict[str, bytes]:
    found = (path for path in EXAMPLE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(EXAMPLE)): path.read_bytes() for path in found if path.suffix != ".pyc"}


class Stage:
    """A repository with what a test reads of it."""

    def __init__(self, checkout: Any, git: Repository) -> None:
        self.checkout = checkout
        self.git = git

    def head(self, branch: str = "main") -> Head:
        commit = self.git.commit(branch)
        return Head(branch=branch, commit=commit, tree=self.git.tree(commit))

    def scene(self, revision: str = "main", **more: Any) -> Scene:
        commit = self.git.commit(revision)
        return Scene(source=self.git.tree(commit), source_commit=commit, now=NOW, **more)

    def tags(self) -> tuple[Tag, ...]:
        names = self.checkout.git("tag", "--list").split()
        return tuple(Tag(name=name, commit=self.git.commit(f"refs/tags/{name}")) for name in names)


@pytest.fixture
def stage(repository: Callable[..., Any]) -> Iterator[Callable[..., Stage]]:
    opened: list[Repository] = []

    def make(files: dict[str, Any]) -> Stage:
        checkout = repository(files)
        git = Repository(str(checkout.path))
        opened.append(git)
        return Stage(checkout, git)

    yield make
    for git in opened:
        git.close()


@pytest.fixture
def churn(stage: Callable[..., Stage]) -> Stage:
    """The example with its first release, and a new image and model in staging."""
    found = stage(example())
    found.checkout.git("tag", "v1.0.0")
    staging = (EXAMPLE / VALUES.format("staging")).read_text()
    staging = staging.replace("sha-9d3e7f2", "sha-4be81c0").replace("v1.2.3", "v1.3.0")
    staging = staging.replace(staging.split("dataVersion: ")[1].split("\n")[0], NEW_MODEL)
    found.checkout.commit({VALUES.format("staging"): staging}, "chore: update image tag")
    return found


def promotion(found: Promotion | Nothing) -> Promotion:
    assert isinstance(found, Promotion), found
    return found


def span_of(old: str, new: str, *, back: bool) -> Code:
    return Code(("ghcr.io/acme/churn-api",), Span("acme/churn", old, new), Commits(total=1), back=back)


def settings_of(stage: Stage) -> Settings:
    return read_settings(stage.git.tree("main"))


def test_production_gets_exactly_the_mapped_values_of_staging(churn: Stage) -> None:
    settings = settings_of(churn)
    way = route(settings, "production")
    assert (way.source, way.kind, way.base, way.head, way.target_tag) == ("staging", "values", "main", "main", "v*.*.*")
    found = promotion(promote(settings, way, churn.head(), churn.scene(tags=churn.tags())))
    assert found.proposal is not None
    (change,) = found.proposal.files
    before = (EXAMPLE / VALUES.format("production")).read_bytes()
    expected = (
        before.replace(b"sha-5b1c8ae", b"sha-4be81c0")
        .replace(b"v1.2.3", b"v1.3.0")
        .replace(before.split(b"dataVersion: ")[1].split(b"\n")[0], NEW_MODEL.encode())
    )
    assert (change.path, change.content) == (VALUES.format("production"), expected)
    assert found.tag is not None
    assert (found.tag.name, found.tag.previous) == ("v1.0.1", "v1.0.0")
    assert found.title == found.proposal.subject == "chore: promote staging to production (v1.0.1)"
    assert found.proposal.topic == "promote/production"
    assert found.proposal.message.splitlines() == [
        "ghcr.io/acme/churn-api: sha-5b1c8ae → sha-4be81c0",
        "churn-model: v1.2.3 → v1.3.0",
        "churn-model path: s3://models/churn/v1.2.3/ → s3://models/churn/v1.3.0/",
        f"churn-model data: sha256:6f1ed002ab5595859014ebf0951522d9e1f9a3a7b2d1c0e4f5968778695a4b3c → {NEW_MODEL}",
    ]
    assert dict(found.proposal.trailers) == {
        "Gitops-Bot-Promotion": "staging production",
        "Gitops-Bot-Promoted-From": churn.git.commit("main"),
        "Gitops-Bot-Tag": "v1.0.1",
        "Gitops-Bot-Level": "patch",
        "Gitops-Bot-Environment": "production",
        "Gitops-Bot-Bump": "model churn-model old=v1.2.3 new=v1.3.0",
    }
    assert (
        "Gitops-Bot-Bump",
        "image ghcr.io/acme/churn-api old=sha-5b1c8ae new=sha-4be81c0",
    ) in found.proposal.trailers


def moved_to(churn: Stage, tag: str, model: str, order: str = "newest") -> Stage:
    """The example where staging has another image and model, and the image's rule another order."""
    path = VALUES.format("staging")
    staging = churn.git.tree("main").read(path).decode()
    settings = churn.git.tree("main").read(".gitops-bot.yaml").decode()
    rule = "repository: ghcr.io/acme/churn-api\n"
    assert rule in settings
    churn.checkout.commit({
        path: staging.replace("sha-4be81c0", tag).replace("v1.3.0", model),
        ".gitops-bot.yaml": settings.replace(rule, f"{rule}    order: {order}\n"),
    })  # fmt: skip
    return churn


def built_of(old: Built, new: Built) -> dict[tuple[str, str], Origins]:
    return {(VALUES.format("production"), "ghcr.io/acme/churn-api"): Origins(old, new)}


@pytest.mark.parametrize(
    ("tag", "model", "order", "more", "why"),
    [
        ("sha-4be81c0", "v1.2.2", "newest", {}, "churn-model: v1.2.2 is older than v1.2.3 in"),
        ("v1.0.0", "v1.3.0", "semver", {}, ""),  # sha-5b1c8ae is no version, so nobody knows
        ("v1.0.0", "v1.3.0", "newest", {}, ""),
        (
            "v1.0.0",
            "v1.3.0",
            "newest",
            {"origins": built_of(Built(run=7), Built(run=6))},
            "by the numbers of the builds",
        ),
        ("v1.0.0", "v1.3.0", "newest", {"origins": built_of(Built(run=6), Built(run=7))}, ""),
        ("v1.0.0", "v1.3.0", "exact", {"origins": built_of(Built(run=7), Built(run=6))}, ""),
        (
            "sha-4be81c0",
            "v1.3.0",
            "newest",
            {"code": (span_of("5b1c8ae", "4be81c0", back=True),)},
            "by the ancestry of",
        ),
        ("sha-4be81c0", "v1.3.0", "newest", {"code": (span_of("5b1c8ae", "4be81c0", back=False),)}, ""),
        ("sha-4be81c0", "v1.3.0", "exact", {"code": (span_of("5b1c8ae", "4be81c0", back=True),)}, ""),
        ("sha-4be81c0", "v1.3.0", "newest", {"code": (span_of("0000000", "4be81c0", back=True),)}, ""),
    ],
)
def test_what_is_known_to_be_older_is_promoted_only_where_that_is_asked_for(
    churn: Stage, tag: str, model: str, order: str, more: dict[str, Any], why: str
) -> None:
    stage = moved_to(churn, tag, model, order)
    settings = settings_of(stage)
    way = route(settings, "production")
    found = promote(settings, way, stage.head(), stage.scene(**more))
    if not why:
        assert "older" not in promotion(found).body
        return
    assert isinstance(found, Nothing)
    assert why in found.reason
    assert found.reason.endswith("; --allow-downgrade writes it all the same")
    allowed = promotion(promote(settings, way, stage.head(), stage.scene(**more, allow_downgrade=True)))
    assert allowed.proposal is not None
    (note,) = [each for each in allowed.proposal.notes if "is older than" in each]
    assert why in note
    assert "it is written because --allow-downgrade says so" in note


def test_a_semver_rule_knows_what_is_older(churn: Stage) -> None:
    production = churn.git.tree("main").read(VALUES.format("production")).decode()
    churn.checkout.commit({VALUES.format("production"): production.replace("sha-5b1c8ae", "v1.10.0")})
    stage = moved_to(churn, "v1.9.0", "v1.3.0", "semver")
    settings = settings_of(stage)
    found = promote(settings, route(settings, "production"), stage.head(), stage.scene())
    assert isinstance(found, Nothing)
    assert "v1.9.0 is older than v1.10.0" in found.reason


def test_the_body_says_what_why_and_what_stays_different(churn: Stage) -> None:
    settings = settings_of(churn)
    commits = Commits(
        commits=(
            CommitInfo(sha="a" * 40, message="feat: call @everyone\n\nmore", author="ada", url="https://git.example/a"),
        ),
        total=30,
        url="https://git.example/compare",
    )
    gates = (
        Gate(name="status ci", state="passed", reason="success on aaaaaaa", url="https://ci.example/7"),
        Gate(name="soak", state="waiting", reason="12m | 30m", url="javascript:alert(1)"),
    )
    scene = churn.scene(
        tags=churn.tags(), commits=commits, gates=gates,
        code=(Code(("ghcr.io/acme/churn-api",), Span("acme/churn", "a" * 40, "b" * 40), commits),), by="ada", diff="```diff\n-old\n+new\n```",
        builds=("https://ci.example/1", "javascript:alert(1)"), apps={VALUES.format("production"): ("churn-mlops-production",)},
    )  # fmt: skip
    body = promotion(promote(settings, route(settings, "production", level="minor"), churn.head(), scene)).body
    assert "After the merge `production` gets it with the tag `v1.1.0`, after `v1.0.0`." in body
    assert "| `churn-mlops-production` | `ghcr.io/acme/churn-api` | `sha-5b1c8ae` | `sha-4be81c0` |" in body
    assert "| app | what | `production` now | from `staging` |" in body
    assert "| `churn-mlops-production` | `churn-model data` | `sha256:6f1ed002ab55…` | `sha256:0badc0de0bad…` |" in body
    assert "digest` |" not in body  # the same on both sides: empty
    assert "| ✅ passed | [`status ci`](<https://ci.example/7>) | success on " in body
    assert r"| ⏳ waiting | `soak` | 12m \| 30m |" in body
    assert "[`aaaaaaa`](<https://git.example/a>) feat: call @&#8203;everyone, ada" in body
    assert body.count("[29 more](<https://git.example/compare>)") == 2
    assert (
        "`ghcr.io/acme/churn-api` gets 30 commits of acme/churn, [`aaaaaaa...bbbbbbb`](<https://git.example/compare>):"
        in body
    )
    assert "[https:&#8203;//ci.example/1](<https://ci.example/1>)" in body
    assert "](<javascript" not in body
    assert "| `replicaCount` | `2` | `3` |" in body
    assert "| `autoscaling.enabled` | not set | `true` |" in body
    assert body.rstrip().endswith("```diff\n-old\n+new\n```")
    assert "Asked for by ada." in body


def test_builds_are_read_from_the_bumps_that_are_promoted(churn: Stage) -> None:
    settings = settings_of(churn)
    text = "chore: update image tag\n\nGitops-Bot-Environment: {}\nGitops-Bot-Run: 7 https://ci.example/{}\n"
    commits = tuple(
        CommitInfo(sha=each[0] * 40, message=text.format(*each.split()))
        for each in ("staging 1", "staging 1", "development 2")
    )
    found = promotion(
        promote(
            settings,
            route(settings, "production"),
            churn.head(),
            churn.scene(commits=Commits(commits=commits, total=3)),
        )
    )
    assert found.body.count("(<https://ci.example/1>)") == 1
    assert "https://ci.example/2" not in found.body
    assert found.proposal is not None
    assert found.proposal.message.endswith("build: https://ci.example/1")
    assert ("Gitops-Bot-Run", "0 https://ci.example/1") in found.proposal.trailers


def test_a_body_that_is_too_long_loses_the_diff_and_says_so(churn: Stage) -> None:
    settings = settings_of(churn)
    found = promotion(promote(settings, route(settings, "production"), churn.head(), churn.scene(diff="x" * 65_000)))
    assert len(found.body) < 60_000
    assert "1 section is left out here" in found.body
    assert "xxx" not in found.body


def test_what_is_promoted_already_is_nothing_and_a_missing_tag_is_one(churn: Stage) -> None:
    settings = settings_of(churn)
    way = route(settings, "production")
    first = promotion(promote(settings, way, churn.head(), churn.scene(tags=churn.tags())))
    assert first.proposal is not None
    merge = churn.checkout.commit({file.path: file.content for file in first.proposal.files}, "merge")
    again = promotion(promote(settings, way, churn.head(), churn.scene(tags=churn.tags(), commits=Commits(total=2))))
    assert (again.kind, again.commit, again.proposal) == ("tag", merge, None)
    assert again.tag is not None
    assert again.tag.name == "v1.0.1"
    churn.checkout.git("tag", "v1.0.1")
    assert promote(settings, way, churn.head(), churn.scene(tags=churn.tags())) == Nothing(
        "production has the values of staging already, and v1.0.1 is the tip of main"
    )
    churn.checkout.git("tag", "--delete", "v1.0.1")
    found = promote(settings, way, churn.head(), churn.scene(tags=churn.tags()))
    assert found == Nothing("production has the values of staging already, and main has nothing that v1.0.0 has not")


def test_the_tag_after_the_merge_is_reckoned_anew(churn: Stage) -> None:
    settings = settings_of(churn)
    commit = churn.git.commit("main")
    message = "chore: promote (#7)\n\nGitops-Bot-Promotion: staging production\nGitops-Bot-Tag: v1.1.0\nGitops-Bot-Level: minor\n"
    told = recorded(message)
    assert told is not None
    assert (told.source, told.target, told.level, told.tag) == ("staging", "production", "minor", "v1.1.0")
    found = tag_after_merge(settings, "production", commit, level=told.level, tags=churn.tags(), announced=told.tag)
    assert not isinstance(found, Nothing)
    assert (found.name, found.notes) == ("v1.1.0", ())
    churn.checkout.git("tag", "v1.1.0", "v1.0.0")  # somebody else's release of another commit came between
    found = tag_after_merge(settings, "production", commit, level="minor", tags=churn.tags(), announced="v1.1.0")
    assert not isinstance(found, Nothing)
    assert (found.name, found.notes) == ("v1.2.0", ("v1.1.0 was announced; v1.2.0 is the next one now",))
    churn.checkout.git("tag", "v1.2.0", commit)
    assert tag_after_merge(settings, "production", commit, level="minor", tags=churn.tags()) == Nothing(
        "v1.2.0 was made of this commit already"
    )
    assert isinstance(tag_after_merge(settings, "staging", commit, level=None, tags=churn.tags()), Nothing)
    assert recorded("chore: update image tag\n\nGitops-Bot-Tag: v1.1.0") is None


def test_a_held_version_is_not_promoted_until_it_is_released(churn: Stage) -> None:
    settings = settings_of(churn)
    hold = Hold(
        what="ghcr.io/acme/churn-api",
        version="sha-4be81c0",
        why="slow",
        by="ada",
        until="2026-08-06",
        environment="production",
    )
    churn.checkout.commit({FILE: add_hold(None, hold)})
    way = route(settings, "production")
    with pytest.raises(Refused, match=r"ghcr.io/acme/churn-api sha-4be81c0 is held in production by ada until"):
        promote(settings, way, churn.head(), churn.scene())
    later = msgspec.structs.replace(churn.scene(), now=datetime(2026, 8, 7, tzinfo=UTC))
    assert isinstance(promote(settings, way, churn.head(), later), Promotion)
    elsewhere = msgspec.structs.replace(hold, environment="staging")
    churn.checkout.commit({FILE: add_hold(None, elsewhere)})
    assert isinstance(promote(settings, way, churn.head(), churn.scene()), Promotion)


def test_a_moved_branch_is_read_again(churn: Stage) -> None:
    """The scene was read before the head: where both are one branch, the head counts."""
    settings = settings_of(churn)
    scene = churn.scene("v1.0.0")
    found = promotion(promote(settings, route(settings, "production"), churn.head(), scene))
    assert found.proposal is not None
    assert b"sha-4be81c0" in (found.proposal.files[0].content or b"")
    assert dict(found.proposal.trailers)["Gitops-Bot-Promoted-From"] == churn.git.commit("main")


def test_develop_goes_to_main_as_a_branch(churn: Stage) -> None:
    settings = settings_of(churn)
    way = route(settings, "staging")
    assert (way.kind, way.source, way.head, way.base) == ("branch", "development", "develop", "main")
    commits = Commits(commits=(CommitInfo(sha="b" * 40, message="feat: x"),), total=1, url="https://git.example/c")
    found = promotion(promote(settings, way, churn.head(), churn.scene(commits=commits)))
    assert (found.kind, found.proposal, found.tag) == ("branch", None, None)
    assert found.title == "chore: promote development to staging"
    assert "Merges `develop` into `main`: 1 commit from `development` to `staging`." in found.body
    assert promote(settings, way, churn.head(), churn.scene()) == Nothing(
        "main has every commit of develop: staging is where development is"
    )


# -- layouts ----------------------------------------------------------------------------------------------------------


def settings_from(text: str) -> Settings:
    return msgspec.convert(yaml.load(text.encode()), Settings)


def test_directories_on_one_branch_need_no_rules(stage: Callable[..., Stage]) -> None:
    settings = settings_from(
        "environments: {staging: {branch: main}, production: {branch: main}}\n"
        "promotion: {production: {from: staging, copy: ['images[name=api].newTag', replicas]}}\n"
    )
    kustomization = (
        "images:\n- name: db\n  newTag: '9'\n- name: api\n  newTag: {}\nreplicas:\n- name: api\n  count: {}\n"
    )
    found = stage(
        {
            "overlays/staging/kustomization.yaml": kustomization.format("v2", 2),
            "overlays/production/kustomization.yaml": kustomization.format("v1", 5),
            "argocd/staging/app.yaml": "kind: Application\n",
            "chart/templates/staging.yaml": "{{ if }}: not: yaml\n",
        }
    )
    way = route(settings, "production")
    assert (way.kind, way.base, way.target_tag) == ("values", "main", None)
    made = promotion(promote(settings, way, found.head(), found.scene()))
    assert made.proposal is not None
    (change,) = made.proposal.files
    assert (change.path, change.content) == (
        "overlays/production/kustomization.yaml",
        kustomization.format("v2", 2).encode(),
    )
    assert made.tag is None


def test_without_then_the_tag_is_left_to_people(churn: Stage) -> None:
    settings = settings_of(churn)
    by_hand = msgspec.structs.replace(settings.promotion["production"], then=None)
    settings = msgspec.structs.replace(settings, promotion={"production": by_hand})
    way = route(settings, "production")
    found = promotion(promote(settings, way, churn.head(), churn.scene(tags=churn.tags())))
    assert (found.tag, found.title) == (None, "chore: promote staging to production")
    made = tag_after_merge(settings, "production", churn.git.commit("main"), level=None, tags=churn.tags())
    assert made == Nothing("promotion.production.then does not ask for a tag")
    nothing = msgspec.structs.replace(settings, promotion={})
    assert route(nothing, "production").target_tag == "v*.*.*"
    assert "model.version" in route(nothing, "production").policy.copy


def test_branches_with_files_of_their_own_copy_across(stage: Callable[..., Stage]) -> None:
    settings = settings_from(
        "environments: {staging: {branch: staging}, production: {branch: production}}\n"
        "images: [{repository: acme/api, write: [{file: 'env/{environment}.yaml', path: image.tag}]}]\n"
        "promotion: {production: {from: staging, copy: [image.tag]}}\n"
    )
    found = stage(
        {"env/staging.yaml": "image: {tag: '1.10'}\n", "env/production.yaml": 'image:\n  tag: "1.9" # proud\n'}
    )
    found.checkout.git("branch", "production")
    found.checkout.git("branch", "staging")
    way = route(settings, "production", "staging")
    assert (way.base, way.head) == ("production", "staging")
    made = promotion(promote(settings, way, found.head("production"), found.scene("staging")))
    assert made.proposal is not None
    assert made.proposal.files[0].content == b'image:\n  tag: "1.10" # proud\n'


def test_an_environment_behind_tags_is_promoted_from_a_release(stage: Callable[..., Stage]) -> None:
    settings = settings_from(
        "environments: {staging: {branch: main}, production: {tag: 'v*.*.*'}, recovery: {tag: 'dr-*.*.*'}}\n"
        "images: [{repository: acme/api, write: [{file: '{environment}.yaml', path: tag}]}]\n"
        "promotion: {production: {from: staging, copy: [tag], then: tag}, recovery: {from: production, copy: [tag], then: tag}}\n"
    )
    found = stage({"staging.yaml": "tag: c\n", "production.yaml": "tag: b\n", "recovery.yaml": "tag: a\n"})
    found.checkout.git("tag", "v1.0.0")
    found.checkout.commit({"production.yaml": "tag: not-released\n"})
    way = route(settings, "recovery")
    assert (way.base, way.source_tag, way.target_tag) == ("main", "v*.*.*", "dr-*.*.*")
    made = promotion(promote(settings, way, found.head(), found.scene("v1.0.0", tags=found.tags())))
    assert made.proposal is not None
    assert made.proposal.files[0].content == b"tag: b\n"
    assert made.tag is not None
    assert made.tag.name == "dr-1.0.0"


@pytest.mark.parametrize(
    ("settings", "target", "source", "problem"),
    [
        ("{}", "moon", "", "moon is no environment"),
        ("{}", "development", "", "is the first environment"),
        ("{}", "staging", "staging", "promoted from itself"),
        ("{}", "production", "", "nothing says which values"),
        ("{promotion: {production: {from: staging, copy: [tag]}}}", "production", "development", "is promoted from staging"),
        ("{environments: {a: {tag: 'v*'}, b: {tag: 'w*'}}, promotion: {a: {from: b, copy: [x]}, b: {from: a, copy: [x]}}}", "a", "", "no environment among them follows a branch"),
    ],
)  # fmt: skip
def test_what_is_no_promotion_is_refused(settings: str, target: str, source: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        route(settings_from(settings), target, source)


SIMPLE = (
    "environments: {staging: {branch: main}, production: {branch: main}}\n"
    "images: [{repository: acme/api, write: [{file: '{environment}.yaml', path: image.tag, digest: image.digest}]}]\n"
    "promotion: {production: {from: staging, copy: [image.tag, image.digest, model.*]}}\n"
)


@pytest.mark.parametrize(
    ("staging", "production", "problem"),
    [
        (
            "image: {tag: a}\n",
            "image: {tag: b, digest: old}\n",
            r"production.yaml: image.digest: staging.yaml does not set it",
        ),
        (
            "image: {tag: a}\nmodel: {v: 1}\n",
            "image: {tag: b}\nmodel: {v: 0, path: old}\n",
            r"model.path: staging.yaml does not set it",
        ),
        ("image: {tag: }\n", "image: {tag: b}\n", r"staging.yaml: image.tag: it is empty \(null\)"),
        ("other: 1\n", "other: 2\n", r"none of image.tag, image.digest, model.\* is in it"),
        ("image: {tag: a}\n", None, r"production.yaml: it is no file"),
        ("image: {tag: a}\n", "image: [\n", r"production.yaml"),
        ("image: {tag: a}\n", "image: {tag: {x: y}}\n", r"production.yaml"),
        ("image: {tag: a}\n", "image: {tag: b}\nimage: {tag: c}\n", r"production.yaml:2: the key image is there twice"),
    ],
)
def test_values_that_cannot_be_copied_soundly_are_refused(
    stage: Callable[..., Stage], staging: str, production: str | None, problem: str
) -> None:
    settings = settings_from(SIMPLE)
    files = {"staging.yaml": staging} | ({"production.yaml": production} if production is not None else {})
    found = stage(files)
    with pytest.raises(EditRefused, match=problem):
        promote(settings, route(settings, "production"), found.head(), found.scene())


def test_what_the_target_does_not_deploy_is_left_out_and_named(stage: Callable[..., Stage]) -> None:
    """One application of many that production does not have yet holds the others back no longer."""
    settings = settings_from(
        "environments: {staging: {branch: main}, production: {branch: main}}\n"
        "images: [{repository: acme/api, write: [{file: 'api/{environment}.yaml', path: image.tag}]},\n"
        "  {repository: acme/web, write: [{file: 'web/{environment}.yaml', path: image.tag}]}]\n"
    )
    staging = {f"{app}/staging.yaml": "image: {tag: b}\n" for app in ("api", "web")}
    found = stage({**staging, "web/production.yaml": "image: {tag: a}\n"})
    made = promotion(promote(settings, route(settings, "production"), found.head(), found.scene()))
    assert [file.path for file in made.proposal.files] == ["web/production.yaml"]
    left_out = "api/production.yaml is not there, so nothing of api/staging.yaml is copied"
    assert left_out in made.proposal.notes
    assert re.sub(r"[\\`]", "", made.proposal.body).count(left_out) == 1
    found.checkout.commit({"api/production.yaml/x.yaml": "a: 1\n"})
    with pytest.raises(EditRefused, match=r"api/production\.yaml: it is no file"):
        promote(settings, route(settings, "production"), found.head(), found.scene())


def test_an_image_is_told_by_its_version_where_the_whole_reference_moves(stage: Callable[..., Stage]) -> None:
    settings = settings_from(
        "environments: {staging: {branch: main}, production: {branch: main}}\n"
        "images: [{repository: acme/api, write: [{file: '{environment}.yaml', path: image}]}]\n"
    )
    found = stage({"staging.yaml": "image: docker.io/acme/api:v2\n", "production.yaml": "image: acme/api:v1\n"})
    made = promotion(promote(settings, route(settings, "production"), found.head(), found.scene()))
    assert made.proposal.message.splitlines()[0] == "acme/api: v1 → v2"
    assert "| `acme/api` | `v1` | `v2` |" in made.proposal.body


def test_types_and_new_keys_are_copied_as_they_are(stage: Callable[..., Stage]) -> None:
    settings = settings_from(SIMPLE)
    found = stage(
        {
            "staging.yaml": "image: {tag: '1e3', digest: ''}\nmodel: {version: 1.10, ready: true, name: \"no\"}\n",
            "production.yaml": "image:\n  tag: abc   # the tag\nmodel:\n  version: 3\n  ready: false\n  name: yes-man\n",
        }
    )
    made = promotion(promote(settings, route(settings, "production"), found.head(), found.scene()))
    assert made.proposal is not None
    content = made.proposal.files[0].content or b""
    assert b'  tag: "1e3"   # the tag\n' in content
    assert b"  version: 1.10\n" in content
    assert yaml.load(content) == yaml.load(found.git.tree("main").read("staging.yaml"))


def test_secrets_are_never_shown(stage: Callable[..., Stage]) -> None:
    settings = settings_from(SIMPLE.replace("model.*", "auth.*"))
    found = stage(
        {
            "staging.yaml": "image: {tag: a}\nauth: {password: hunter2-new}\napiKey: staging-key-1\n",
            "production.yaml": "image: {tag: a}\nauth: {password: hunter2-old}\napiKey: production-key-1\n",
        }
    )
    made = promotion(promote(settings, route(settings, "production"), found.head(), found.scene()))
    assert made.proposal is not None
    text = made.body + made.proposal.message + made.title
    assert "`<secret>`" in text
    assert "auth.password: <secret> → <secret>" in made.proposal.message
    assert not [word for word in ("hunter2", "staging-key", "production-key") if word in text]
    assert b"hunter2-new" in (made.proposal.files[0].content or b"")


@pytest.mark.parametrize(
    ("staging", "problem"),
    [
        ("image: {tag: latest}\n", "production is protected, and the tag latest of acme/api can move"),
        (f"image: {{tag: latest, digest: '{NEW_MODEL}'}}\n", ""),
        ("image: {tag: v1.2.3}\n", ""),
        ("image: {tag: v2}\nmodel: {version: champion}\n", "the version champion of churn is an alias that can move"),
        (
            "image: {tag: v2}\nmodel: {path: 'models:/churn@champion'}\n",
            "the path models:/churn@champion of churn can move",
        ),
        ("image: {tag: v2}\nmodel: {version: '3', path: 's3://m/3/'}\n", ""),
    ],
)
def test_what_can_move_does_not_reach_a_protected_environment(
    stage: Callable[..., Stage], staging: str, problem: str
) -> None:
    models = (
        "models: [{name: churn, write: [{file: '{environment}.yaml', version: model.version, path: model.path}]}]\n"
    )
    settings = settings_from(
        SIMPLE.replace("production: {branch: main}", "production: {branch: main, protected: true}") + models
    )
    found = stage({"staging.yaml": staging, "production.yaml": "image: {tag: v1}\n"})
    way = route(settings, "production")
    if problem:
        with pytest.raises(Refused, match=problem):
            promote(settings, way, found.head(), found.scene())
    else:
        assert isinstance(promote(settings, way, found.head(), found.scene()), Promotion)


OLD, NEW = f"sha256:{'0a' * 32}", f"sha256:{'0b' * 32}"
RULES = (
    "environments: {staging: {branch: main}, production: {branch: main}}\n"
    "images: [{repository: acme/api, write: [{file: '{environment}.yaml', path: image.tag, digest: image.digest}]}]\n"
    "models: [{name: churn, write: [{file: '{environment}.yaml', version: m.version, path: m.path, data: m.data}]}]\n"
    "promotion: {production: {from: staging, copy: [COPY]}}\n"
)
BESIDE = "environments: {staging: {branch: main}, production: {branch: main}}\npromotion: {production: {from: staging, copy: [COPY]}}\n"


@pytest.mark.parametrize(
    ("rules", "copy", "staging", "production", "kept"),
    [
        # the old digest would pin the old image; or the one that was proved would be lost
        (RULES, "image.tag", f"image: {{tag: v2, digest: '{NEW}'}}", f"image: {{tag: v1, digest: '{OLD}'}}", "image.digest"),
        (RULES, "image.tag", "image: {tag: v2}", f"image: {{tag: v1, digest: '{OLD}'}}", "image.digest"),
        (RULES, "image.tag", f"image: {{tag: v2, digest: '{NEW}'}}", "image: {tag: v1}", "image.digest"),
        (RULES, "image.digest", f"image: {{tag: v2, digest: '{NEW}'}}", f"image: {{tag: v1, digest: '{OLD}'}}", "image.tag"),
        (BESIDE, "image.tag", "image: {repository: a/b, tag: v2}", f"image: {{repository: a/b, tag: v1, digest: '{OLD}'}}", "image.digest"),
        (
            BESIDE, "'images[0].newTag'", f"images: [{{name: a/b, newTag: v2, digest: '{NEW}'}}]",
            f"images: [{{name: a/b, newTag: v1, digest: '{OLD}'}}]", "images[0].digest",
        ),
        # a model's version, path and data are one
        (RULES, "m.version", "m: {version: v2, path: s3://m/v2, data: a}", "m: {version: v1, path: s3://m/v1, data: a}", "m.path"),
        (RULES, "'m.version', 'm.path'", "m: {version: v2, path: s3://m/v2, data: b}", "m: {version: v1, path: s3://m/v1, data: a}", "m.data"),
    ],
)  # fmt: skip
def test_nothing_is_promoted_by_half(
    stage: Callable[..., Stage], rules: str, copy: str, staging: str, production: str, kept: str
) -> None:
    found = stage({"staging.yaml": f"{staging}\n", "production.yaml": f"{production}\n"})
    settings = settings_from(rules.replace("COPY", copy))
    with pytest.raises(Refused, match=re.escape(f"add {kept} to promotion.production.copy")):
        promote(settings, route(settings, "production"), found.head(), found.scene())
    whole = settings_from(rules.replace("COPY", f"{copy}, '{kept}'"))
    if "digest" not in staging and "digest" in production:
        # What the source does not set is refused in other words.
        with pytest.raises(EditRefused, match="the old value would stay"):
            promote(whole, route(whole, "production"), found.head(), found.scene())
    else:
        assert isinstance(promote(whole, route(whole, "production"), found.head(), found.scene()), Promotion)


@pytest.mark.parametrize(
    ("copy", "staging", "production"),
    [
        ("image.tag", "image: {tag: v2, digest: ''}", "image: {tag: v1}"),
        ("image.tag", f"image: {{tag: v2, digest: '{NEW}'}}", f"image: {{tag: v1, digest: '{NEW}'}}"),
        ("replicas", f"replicas: 2\nimage: {{tag: v2, digest: '{NEW}'}}", f"replicas: 1\nimage: {{tag: v1, digest: '{OLD}'}}"),
        ("m.version", "m: {version: v2, path: s3://m, data: a}", "m: {version: v1, path: s3://m, data: a}"),
    ],
)  # fmt: skip
def test_what_is_the_same_on_both_sides_need_not_be_copied(
    stage: Callable[..., Stage], copy: str, staging: str, production: str
) -> None:
    found = stage({"staging.yaml": f"{staging}\n", "production.yaml": f"{production}\n"})
    settings = settings_from(RULES.replace("COPY", copy))
    assert isinstance(promote(settings, route(settings, "production"), found.head(), found.scene()), Promotion)


def test_without_rules_the_image_is_known_by_what_stands_beside_it(stage: Callable[..., Stage]) -> None:
    settings = settings_from(
        "environments: {staging: {branch: main}, production: {branch: main}}\n"
        "promotion: {production: {from: staging, copy: [image.tag]}}\n"
    )
    found = stage(
        {
            "chart/values.yaml": "image: {registry: ghcr.io, repository: acme/api, tag: ''}\n",
            "chart/values-staging.yaml": "image: {tag: v2}\n",
            "chart/values-production.yaml": "image: {tag: v1}\n",
            FILE: add_hold(None, Hold(what="ghcr.io/acme/api", version="v2", why="x", by="ada")),
        }
    )
    with pytest.raises(Refused, match=r"ghcr\.io/acme/api v2 is held"):
        promote(settings, route(settings, "production"), found.head(), found.scene())


keys = st.sampled_from(["tag", "digest", "replicas", "path", "flag", "note", "a.b"])
scalars = st.one_of(
    st.integers(-5, 99).map(str),
    st.sampled_from(["true", "yes", "'1e3'", "sha-1f0c2ab", '"x: y"', "0.25", "'no'", "''"]),
)
parts = st.dictionaries(keys, scalars, min_size=1, max_size=5)


def text_of(image: dict[str, str], rest: dict[str, str], comment: str) -> str:
    def block(name: str, part: dict[str, str]) -> str:
        return f"{name}:  {comment}\n" + "".join(f"    {key}: {value} {comment}\n" for key, value in part.items())

    return f"{comment}\n{block('rest', rest)}{block('image', image)}"


@settings_of_hypothesis(deadline=None, max_examples=150)
@given(parts, parts, parts, parts)
def test_the_mapped_values_are_the_sources_and_all_others_stay(
    image: dict[str, str], rest: dict[str, str], there: dict[str, str], kept: dict[str, str]
) -> None:
    source, target = text_of(image, rest, "# source"), text_of(there, kept, "# target")
    tree = memory({"staging.yaml": source, "production.yaml": target})
    pair = [Pair("staging.yaml", "production.yaml")]
    if there.keys() - image.keys():  # the only reason to refuse
        with pytest.raises(EditRefused, match="does not set it"):
            copy_values(pair, ["image.*"], tree, tree)
        return
    found = copy_values(pair, ["image.*"], tree, tree)
    content = found.files[0].content if found.files else target.encode()
    assert content is not None
    after = yaml.load(content)
    assert after["image"] == yaml.load(source.encode())["image"]
    assert after["rest"] == yaml.load(target.encode())["rest"]
    assert content.split(b"image:")[0] == target.encode().split(b"image:")[0]
    again = copy_values(pair, ["image.*"], tree, memory({"production.yaml": content.decode()}))
    assert again.files == ()


def memory(files: dict[str, str]) -> Tree:
    """A tree that is in no repository."""
    blobs = {f"oid of {path}": text.encode() for path, text in files.items()}
    entries = {path: Entry("100644", f"oid of {path}", len(text)) for path, text in files.items()}
    return Tree("root", entries, lambda oids: {oid: blobs[oid] for oid in oids})
