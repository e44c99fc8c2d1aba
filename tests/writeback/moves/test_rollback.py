"""Rollbacks in real repositories: neighbours that moved, files that were renamed, values that changed again since."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_bot.doors.git import Repository
from gitops_bot.doors.merge import merge_text
from gitops_bot.errors import UsageError
from gitops_bot.manifests import yaml
from gitops_bot.model.github import CommitInfo, Commits, DeploymentState, DeploymentStatus, Tag
from gitops_bot.model.settings import Settings
from gitops_bot.model.tree import Tree
from gitops_bot.model.writeback import Head, Proposal
from gitops_bot.writeback.bumps.bump import BumpDoors, bump
from gitops_bot.writeback.bumps.request import BumpRequest, ImageRequest
from gitops_bot.writeback.editor.problems import EditRefused
from gitops_bot.writeback.environments import branch_of
from gitops_bot.writeback.holds import FILE, Hold, add_hold, read_holds
from gitops_bot.writeback.moves.history import (
    Belongs,
    Change,
    Claims,
    State,
    last_healthy,
    previous,
    previous_release,
    rolled_back,
    to_revision,
)
from gitops_bot.writeback.moves.promote import Nothing
from gitops_bot.writeback.moves.recorded import recorded
from gitops_bot.writeback.moves.revert import revert
from gitops_bot.writeback.moves.rollback import (
    Rollback,
    RollbackRequest,
    RollbackScene,
    allowed_in,
    belongs_to,
    rollback,
)
from gitops_bot.writeback.moves.versions import releases
from gitops_bot.writeback.refused import Refused

NOW = datetime(2026, 8, 5, 12, 0, tzinfo=UTC)
DIGEST = "sha256:" + "ab" * 32
VALUES = "values-staging.yaml"
RULES = (
    "environments: {staging: {branch: main}, production: {tag: 'v*.*.*'}}\n"
    "images: [{repository: ghcr.io/acme/api, write: [{file: 'values-{environment}.yaml', path: image.tag, digest: image.digest}]}]\n"
    "models: [{name: churn, write: [{file: 'values-{environment}.yaml', version: model.version, path: model.path}]}]\n"
    "promotion: {production: {from: staging, copy: [image.tag], then: tag}}\n"
)
FIRST = "# staging\nreplicaCount: 2\n\nimage:\n  tag: sha-1 # by the build\n  digest: ''\n\nmodel:\n  version: v1\n  path: s3://m/v1/\n"
ASK = RollbackRequest(environment="staging", by="ada", why="every request failed", until="2026-09-01")


def settings_from(text: str = RULES) -> Settings:
    return msgspec.convert(yaml.load(text.encode()), Settings)


class Stage:
    """A repository with what a test reads of it."""

    def __init__(self, checkout: Any, git: Repository) -> None:
        self.checkout = checkout
        self.git = git
        self.settings = settings_from()

    def tree(self, revision: str = "main") -> Tree:
        return self.git.tree(self.git.commit(revision))

    def head(self) -> Head:
        return Head(branch="main", commit=self.git.commit("main"), tree=self.tree())

    def line(self) -> list[State]:
        commits = self.git.line("main", 100, ["."])
        return [State(msgspec.structs.replace(each, author="bob"), self.git.tree(each.sha)) for each in commits]

    def belongs(self, environment: str = "staging") -> Belongs:
        return belongs_to(self.settings, environment, *(state.tree for state in self.line()))

    def previous(self, environment: str = "staging") -> Change:
        allowed = allowed_in(self.settings, environment, self.tree(), NOW)
        return previous(self.line(), self.belongs(environment), allowed)

    def rolled_back(self, claims: Claims = lambda _state: False) -> str:
        """The first line of the commit that has rolled staging back, ``""`` when its newest change is no rollback."""
        found = rolled_back(self.line(), self.belongs(), claims)
        return found.commit.subject if found else ""

    def undo(self, change: Change | None = None, ask: RollbackRequest = ASK, **more: Any) -> Rollback:
        scene = RollbackScene(now=NOW, merge=merge_text, **more)
        found = rollback(self.settings, ask, self.head(), change or self.previous(), scene)
        assert isinstance(found, Rollback), found
        return found

    def land(self, made: Rollback, message: str = "rollback") -> str:
        return self.checkout.commit({file.path: file.content for file in made.proposal.files}, message)

    def read(self, path: str = VALUES) -> str:
        return (self.checkout.path / path).read_text()


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
def bumped(stage: Callable[..., Stage]) -> Stage:
    """One bump of staging on top of the first commit."""
    found = stage({VALUES: FIRST, "values.yaml": "a: 1\n", "README.md": "read\n"})
    found.checkout.commit({VALUES: FIRST.replace("sha-1", "sha-2")}, "chore: update image tag")
    return found


def test_the_last_change_is_undone_byte_for_byte_and_held(bumped: Stage) -> None:
    made = bumped.undo()
    assert [file.path for file in made.proposal.files] == [FILE, VALUES]
    bumped.land(made)
    assert bumped.read() == FIRST
    hold = Hold(
        what="ghcr.io/acme/api",
        version="sha-2",
        why="every request failed",
        by="ada",
        until="2026-09-01",
        environment="staging",
    )
    assert read_holds(bumped.tree()) == made.holds == (hold,)
    short = bumped.checkout.git("rev-parse", "--short=7", "HEAD~1")
    assert made.proposal.subject == f"fix: roll back staging to the state before {short}"
    assert made.proposal.trailers == (
        ("Gitops-Bot-Rollback", "staging"),
        ("Gitops-Bot-Environment", "staging"),
        ("Gitops-Bot-Bump", "image ghcr.io/acme/api old=sha-2 new=sha-1"),
    )
    assert made.proposal.topic == "rollback/staging"
    assert made.proposal.message.splitlines() == [
        f"undoes {short} (chore: update image tag) by bob",
        "",
        "ghcr.io/acme/api: sha-2 → sha-1",
        "",
        "asked for by ada: every request failed",
        "ghcr.io/acme/api sha-2 is held in staging by ada until 2026-09-01: every request failed",
    ]
    assert f"| `{VALUES}` | `ghcr.io/acme/api` | `sha-2` | `sha-1` |" in made.proposal.body
    assert "| `ghcr.io/acme/api` | `sha-2` | `2026-09-01` |" in made.proposal.body
    assert "its text was merged" not in made.proposal.body
    assert made.tag is None


def test_it_is_undone_although_everything_around_it_moved(bumped: Stage) -> None:
    """Git's own revert conflicts here: the lines beside the tag were written anew."""
    moved = (
        "# staging, rewritten\nmodel: {path: 's3://m/v1/', version: v1}\n"
        "image:\n    digest: ''\n    pullPolicy: Always\n    tag: \"sha-2\"\t# another comment\nreplicaCount: 9\n"
    )
    change = bumped.previous()
    bumped.checkout.commit({VALUES: moved}, "tidy up")
    bumped.land(bumped.undo(change))
    assert bumped.read() == moved.replace("sha-2", "sha-1")
    assert merge_text(moved.encode(), FIRST.replace("sha-1", "sha-2").encode(), FIRST.encode()) is None


def test_previous_goes_to_the_newest_change_that_deploys_something_else(bumped: Stage) -> None:
    bumped.checkout.commit({"README.md": "more\n"}, "docs")
    bumped.checkout.commit({VALUES: FIRST.replace("sha-1", "sha-2").replace("# staging", "# Staging!")}, "a comment")
    bumped.checkout.commit({"values.yaml": "a: 2\n"}, "shared")
    made = bumped.undo()
    bumped.land(made)
    assert bumped.read() == FIRST.replace("# staging", "# Staging!")
    assert bumped.read("values.yaml") == "a: 2\n"


def test_a_second_rollback_goes_further_back_and_not_forth(bumped: Stage) -> None:
    bumped.checkout.commit({VALUES: FIRST.replace("sha-1", "sha-3")}, "chore: update image tag")
    bumped.land(bumped.undo())
    assert "sha-2" in bumped.read()
    bumped.land(bumped.undo())
    assert bumped.read() == FIRST
    assert [hold.version for hold in read_holds(bumped.tree())] == ["sha-3", "sha-2"]
    with pytest.raises(UsageError, match="no change of the environment was found that could be undone"):
        bumped.previous()


def test_what_rolled_it_back_is_known_by_what_it_did(bumped: Stage) -> None:
    assert bumped.rolled_back() == ""
    bumped.land(bumped.undo(), "fix: roll back")
    assert bumped.rolled_back() == "fix: roll back"
    # Elsewhere, and in words only, nothing has changed since.
    bumped.checkout.commit({"README.md": "more\n"}, "docs")
    bumped.checkout.commit({VALUES: bumped.read() + "# more\n"}, "a comment")
    assert bumped.rolled_back() == "fix: roll back"
    # The next build is a change as any other, and so is the bad one written again, by whatever way.
    bumped.checkout.commit({VALUES: FIRST.replace("sha-1", "sha-3")}, "chore: update image tag")
    assert bumped.rolled_back() == ""
    bumped.land(bumped.undo(), "fix: roll back again")
    assert bumped.rolled_back() == "fix: roll back again"
    bumped.checkout.git("revert", "--no-edit", "HEAD")
    assert bumped.read() == FIRST.replace("sha-1", "sha-3")
    assert bumped.rolled_back() == ""


def test_git_revert_is_a_rollback_also_of_an_older_change(bumped: Stage) -> None:
    more = FIRST.replace("sha-1", "sha-2") + "\n# far from the tag\n\n\nworkers: 1\n"
    bumped.checkout.commit({VALUES: more}, "workers")
    bumped.checkout.git("revert", "--no-edit", "HEAD~1")
    assert bumped.rolled_back() == 'Revert "chore: update image tag"'


def test_half_of_it_is_a_rollback_and_half_of_it_with_something_new_is_none(bumped: Stage) -> None:
    both = FIRST.replace("sha-1", "sha-3").replace("replicaCount: 2", "replicaCount: 5")
    bumped.checkout.commit({VALUES: both}, "image and replicas")
    bumped.checkout.commit({VALUES: both.replace("sha-3", "sha-2")}, "only the image back")
    assert bumped.rolled_back() == "only the image back"
    bumped.checkout.commit({VALUES: both.replace("sha-3", "sha-1").replace(": 5", ": 7")}, "and more replicas")
    assert bumped.rolled_back() == ""


def test_a_file_that_was_taken_out_is_no_state_of_before_it_was_there(stage: Callable[..., Stage]) -> None:
    found = stage({"README.md": "read\n"})
    found.checkout.commit({VALUES: FIRST}, "staging")
    found.checkout.commit({VALUES: FIRST.replace("sha-1", "sha-2")}, "chore: update image tag")
    found.checkout.commit({VALUES: None}, "by mistake")
    assert found.rolled_back() == ""
    found.land(found.undo())
    assert "sha-2" in found.read()


def test_beyond_what_is_known_only_a_proven_rollback_counts(bumped: Stage) -> None:
    bumped.checkout.commit({VALUES: FIRST.replace("sha-1", "sha-0")}, "fix: roll back to last year")
    assert bumped.rolled_back() == ""
    assert (
        bumped.rolled_back(lambda state: state.commit.sha == bumped.git.commit("main")) == "fix: roll back to last year"
    )


def test_without_a_hold_a_rollback_can_itself_be_undone(bumped: Stage) -> None:
    made = bumped.undo(ask=msgspec.structs.replace(ASK, hold=False))
    assert [file.path for file in made.proposal.files] == [VALUES]
    assert "Nothing is held" in made.proposal.body
    bumped.land(made)
    bumped.land(bumped.undo())
    assert "sha-2" in bumped.read()


def test_a_value_that_changed_again_since_is_refused_with_what_changed(bumped: Stage) -> None:
    change = bumped.previous()
    bumped.checkout.commit({VALUES: FIRST.replace("sha-1", "sha-3")}, "chore: update image tag")
    with pytest.raises(
        EditRefused, match=r"values-staging.yaml: image.tag: it has changed again since, from sha-2 to sha-3"
    ):
        bumped.undo(change)


def test_a_secret_that_changed_again_is_not_told(stage: Callable[..., Stage]) -> None:
    found = stage({VALUES: "password: hunter1\n"})
    found.checkout.commit({VALUES: "password: hunter2\n"})
    change = found.previous()
    found.checkout.commit({VALUES: "password: hunter3\n"})
    with pytest.raises(EditRefused, match="password: it has changed again since") as refused:
        found.undo(change)
    assert "hunter" not in str(refused.value)
    made = found.undo()
    assert "hunter" not in made.proposal.body + made.proposal.message
    assert made.holds == ()


def test_what_is_undone_already_is_nothing(bumped: Stage) -> None:
    change = bumped.previous()
    bumped.checkout.commit({VALUES: FIRST + "extra: 1\n"}, "by hand")
    found = rollback(bumped.settings, ASK, bumped.head(), change, RollbackScene(now=NOW, merge=merge_text))
    assert isinstance(found, Nothing)
    assert "say what the state before" in found.reason


def test_a_model_is_rolled_back_whole_and_held_by_its_version(bumped: Stage) -> None:
    text = (
        bumped.read()
        .replace("version: v1", "version: v2")
        .replace("m/v1/", "m/v2/")
        .replace("digest: ''", f"digest: {DIGEST}")
    )
    bumped.checkout.commit({VALUES: text}, "chore: deploy model v2")
    made = bumped.undo()
    bumped.land(made)
    assert bumped.read() == FIRST.replace("sha-1", "sha-2").replace("digest: ''", 'digest: ""')
    # The tag has stayed, so it was the digest that was wrong.
    assert [(hold.what, hold.version) for hold in made.holds] == [("ghcr.io/acme/api", DIGEST), ("churn", "v2")]


def test_a_renamed_file_is_found(bumped: Stage) -> None:
    change = bumped.previous()
    bumped.checkout.git("mv", VALUES, "env-staging.yaml")
    bumped.checkout.commit(
        {"env-staging.yaml": bumped.read("env-staging.yaml").replace("replicaCount: 2", "replicaCount: 4")}
    )
    bumped.settings = settings_from(RULES.replace("values-{environment}", "env-{environment}"))
    made = bumped.undo(change)
    bumped.land(made)
    assert bumped.read("env-staging.yaml") == FIRST.replace("replicaCount: 2", "replicaCount: 4")
    assert [hold.what for hold in made.holds] == ["ghcr.io/acme/api"]
    assert "values-staging.yaml is env-staging.yaml now" in made.proposal.body.replace("\\", "")


def test_the_change_is_found_behind_a_new_name(bumped: Stage) -> None:
    bumped.checkout.git("mv", VALUES, "env-staging.yaml")
    bumped.checkout.commit({}, "another name")
    bumped.settings = settings_from(RULES.replace("values-{environment}", "env-{environment}"))
    bumped.land(bumped.undo())
    assert bumped.read("env-staging.yaml") == FIRST
    assert not (bumped.checkout.path / VALUES).exists()


def test_a_change_that_renamed_and_edited_is_refused(bumped: Stage) -> None:
    bumped.checkout.git("mv", VALUES, "env-staging.yaml")
    bumped.checkout.commit({"env-staging.yaml": FIRST.replace("sha-1", "sha-9")}, "another name and image")
    bumped.settings = settings_from(RULES.replace("values-{environment}", "env-{environment}"))
    with pytest.raises(EditRefused, match=r"the change renamed the file to env-staging\.yaml and changed it as well"):
        bumped.undo()


def test_a_file_that_is_gone_is_refused(bumped: Stage) -> None:
    change = bumped.previous()
    bumped.checkout.commit({VALUES: None, "other.yaml": "kind: Something\nquite: different\n"})
    with pytest.raises(EditRefused, match=r"values-staging\.yaml: the file is gone since, and no other looks like it"):
        bumped.undo(change)
    bumped.checkout.commit({"one.yaml": FIRST, "two.yaml": FIRST})
    with pytest.raises(EditRefused, match=r"both one\.yaml and two\.yaml look like it"):
        bumped.undo(change)


@pytest.mark.parametrize(
    ("before", "after", "now", "expected"),
    [
        # keys that the change added or took out
        ("a: 1\n", "a: 1\nb: 2\n", "a: 1\nb: 2\nc: 3\n", "a: 1\nc: 3\n"),
        ("a: 1\nb: 2\n", "a: 1\n", "# new\na: 7\n", "# new\na: 7\nb: 2\n"),
        ("a: {x: 1, w: 2}\n", "a: {x: 1}\n", "a: {x: 1}\nz: 1\n", "a: {x: 1, w: 2}\nz: 1\n"),
        # whole mappings: by text, because no editor of single values can
        ("a: 1\n", "a: 1\nm:\n  p: 1\n  q: 2\n", "z: 0\nk: 0\na: 1\nm:\n  p: 1\n  q: 2\n", "z: 0\nk: 0\na: 1\n"),
        ("a: 1\nm:\n  - p\n  - q\n", "a: 1\nm: []\n", "z: 0\n\n\n\na: 1\nm: []\n", "z: 0\n\n\n\na: 1\nm:\n  - p\n  - q\n"),
        # null
        ("a:\nb: 1\n", "a: 5\nb: 1\n", "a: 5\nb: 1\nc: 1\n", "a:\nb: 1\nc: 1\n"),
        # items of a list found by their names
        (
            "l:\n- name: a\n  v: 1\n- name: b\n  v: 2\n", "l:\n- name: a\n  v: 1\n- name: b\n  v: 3\n",
            "l:\n- name: z\n  v: 0\n- name: b\n  v: 3\n- name: a\n  v: 1\n", "l:\n- name: z\n  v: 0\n- name: b\n  v: 2\n- name: a\n  v: 1\n",
        ),
        # items without names: in their place while nothing moved, else as text
        ("l: [x, w]\n", "l: [x, z]\n", "k: 1\nl: [x, z]\n", "k: 1\nl: [x, w]\n"),
        ("a: 1\n", "a: 1\nm:\n  p: 1\n", "m:\n  q: 1\n  p: 1\na: 1\n", "m:\n  q: 1\na: 1\n"),
        ("on: yes\n", "on: no\n", "on: no # c\n", "on: true # c\n"),
        ("l:\n- --a\n- --b=1\n- --c\n- --d\n- --e\n", "l:\n- --a\n- --b=2\n- --c\n- --d\n- --e\n", "l:\n- --a\n- --b=2\n- --c\n- --d\n- --e\n- --f\n", "l:\n- --a\n- --b=1\n- --c\n- --d\n- --e\n- --f\n"),
        # types and quotes
        ("v: '1.10'\n", "v: '1.11'\n", "w: 0\nv: '1.11' # c\n", "w: 0\nv: '1.10' # c\n"),
        ("v: 3\n", "v: 4\n", "v: 4\nw: 0\n", "v: 3\nw: 0\n"),
        ("v: true\n", "v: 'true'\n", "v: 'true'\nw: 0\n", "v: true\nw: 0\n"),
        # what is no YAML, or cannot be read as such
        ("{{ if }}\nx\n1\n2\n3\n", "{{ if }}\ny\n1\n2\n3\n", "{{ if }}\ny\n1\n2\n3\n4\n", "{{ if }}\nx\n1\n2\n3\n4\n"),
    ],
)  # fmt: skip
def test_every_kind_of_change(stage: Callable[..., Stage], before: str, after: str, now: str, expected: str) -> None:
    found = stage({VALUES: before})
    found.checkout.commit({VALUES: after})
    found.checkout.commit({VALUES: now})
    change = Change(before=found.tree("main~2"), after=found.tree("main~1"), label="x", story="x")
    found.land(found.undo(change))
    assert found.read() == expected


@pytest.mark.parametrize(
    ("before", "after", "now", "problem"),
    [
        ("a: 1\nb: 2\n", "a: 1\n", "a: 1\nb: 3\n", "b: it has changed again since, from nothing to 3"),
        ("a: 1\n", "a: 1\nb: 2\n", "a: 1\nb: 4\n", "b: it has changed again since, from 2 to 4"),
        ("l: [x, y]\n", "l: [x, z]\n", "l: [z, x, z]\n", "the lines around the change have changed since"),
        (
            "a: 1\nb: 1\n",
            "a: 2\nb: 2\n",
            "a: 3\nb: 3\n",
            r"a: it has changed again since(.|\n)*b: it has changed again since",
        ),
        (None, "a: 1\n", "a: 2\n", "the file was added by the change and has changed again since"),
        ("a: 1\n", "a: [\n", "b: [\n", "the lines around the change have changed since"),
    ],
)
def test_what_cannot_be_undone_soundly_is_refused(
    stage: Callable[..., Stage], before: str | None, after: str, now: str, problem: str
) -> None:
    found = stage({"x": "", **({VALUES: before} if before is not None else {})})
    found.checkout.commit({VALUES: after})
    found.checkout.commit({VALUES: now})
    change = Change(before=found.tree("main~2"), after=found.tree("main~1"), label="x", story="x")
    with pytest.raises(EditRefused, match=problem):
        found.undo(change)


def test_a_file_that_the_change_added_goes_and_one_it_took_out_comes_back(stage: Callable[..., Stage]) -> None:
    found = stage({VALUES: FIRST, "x": ""})
    found.checkout.commit({VALUES: None})
    gone = Change(before=found.tree("main~1"), after=found.tree("main"), label="x", story="x")
    found.land(found.undo(gone, msgspec.structs.replace(ASK, hold=False)))
    assert found.read() == FIRST
    added = Change(before=gone.after, after=gone.before, label="x", story="x")
    made = found.undo(added, msgspec.structs.replace(ASK, hold=False))
    assert [(file.path, file.content) for file in made.proposal.files] == [(VALUES, None)]


@pytest.mark.parametrize(
    ("files", "old", "new", "held"),
    [
        ({VALUES: "image: {repository: acme/api, tag: v1}\n"}, "v1", "v2", ("acme/api", "v2")),
        (
            {"staging/kustomization.yaml": "images:\n- name: api\n  newName: acme/api\n  newTag: v1\n"},
            "v1",
            "v2",
            ("acme/api", "v2"),
        ),
        ({"staging/kustomization.yaml": "images:\n- name: acme/api\n  newTag: v1\n"}, "v1", "v2", ("acme/api", "v2")),
        (
            {VALUES: "image: {tag: v1}\n", "values.yaml": "image: {repository: acme/api}\n"},
            "v1",
            "v2",
            ("acme/api", "v2"),
        ),
        ({VALUES: "replicaCount: 2\n"}, "2", "0", (f"{VALUES}#replicaCount", "0")),
        ({VALUES: "apiKey: abcdefgh1\n"}, "abcdefgh1", "abcdefgh2", None),
    ],
)
def test_without_rules_holds_name_what_a_bump_would(
    stage: Callable[..., Stage], files: dict[str, str], old: str, new: str, held: Any
) -> None:
    found = stage(files)
    found.settings = settings_from("environments: {staging: {branch: main}}\n")
    path = next(iter(files))
    found.checkout.commit({path: files[path].replace(old, new)})
    made = found.undo()
    found.land(made)
    assert found.read(path) == files[path]
    assert [(hold.what, hold.version) for hold in made.holds] == ([held] if held else [])


def test_a_whole_image_reference_is_held_by_its_tag(stage: Callable[..., Stage]) -> None:
    found = stage({VALUES: f"image: ghcr.io:443/acme/api:v1@{DIGEST}\n"})
    found.settings = settings_from(RULES.replace("path: image.tag, digest: image.digest", "path: image"))
    found.checkout.commit({VALUES: f"image: ghcr.io:443/acme/api:v2@{DIGEST[:-2]}00\n"})
    made = found.undo()
    left = [("ghcr.io/acme/api", "v2"), ("ghcr.io/acme/api", f"{DIGEST[:-2]}00")]
    assert [(hold.what, hold.version) for hold in made.holds] == left
    found.land(made)
    assert found.read() == f"image: ghcr.io:443/acme/api:v1@{DIGEST}\n"
    assert [(hold.what, hold.version) for hold in read_holds(found.tree())] == left


def test_a_bump_to_the_same_bytes_under_another_tag_is_refused_after_a_rollback(bumped: Stage) -> None:
    bad = f"sha256:{'0a' * 32}"
    text = FIRST.replace("sha-1", "sha-3").replace("digest: ''", f"digest: {bad}")
    bumped.checkout.commit({VALUES: text}, "chore: update image tag")
    made = bumped.undo()
    assert [hold.version for hold in made.holds] == ["sha-3", bad]
    assert f"| `ghcr.io/acme/api` | `{bad}` | `2026-09-01` |" in made.proposal.body
    bumped.land(made)
    doors = BumpDoors(now=NOW, past=lambda: (), ancestor=lambda _old, _new: None)
    for tag, digest in (("sha-3", ""), ("other", bad)):
        item = ImageRequest(repository="GHCR.io/acme/api", tag=tag, digest=digest)
        with pytest.raises(Refused, match=f"{digest or tag} is held in staging"):
            bump(bumped.head(), BumpRequest(items=(item,), environment="staging"), bumped.settings, doors)
    other = ImageRequest(repository="ghcr.io/acme/api", tag="other", digest=DIGEST)
    assert isinstance(bump(bumped.head(), BumpRequest(items=(other,), environment="staging"), bumped.settings, doors),
                      Proposal)  # fmt: skip


def test_a_digest_that_stays_is_not_held(bumped: Stage) -> None:
    text = FIRST.replace("digest: ''", f"digest: {DIGEST}")
    bumped.checkout.commit({VALUES: text}, "pin")
    bumped.checkout.commit({VALUES: text.replace("sha-1", "sha-2")}, "chore: update image tag")
    assert [hold.version for hold in bumped.undo().holds] == ["sha-2"]


# -- where to -----------------------------------------------------------------------------------------------------


def test_back_to_a_revision_puts_back_every_value_and_keeps_comments(bumped: Stage) -> None:
    bumped.checkout.commit(
        {VALUES: FIRST.replace("sha-1", "sha-3").replace("replicaCount: 2", "replicaCount: 5  # more")}
    )
    made = bumped.undo(to_revision("main~2", bumped.tree("main~2"), bumped.tree()))
    bumped.land(made)
    assert bumped.read() == FIRST.replace("replicaCount: 2", "replicaCount: 2  # more")
    assert made.proposal.subject == "fix: roll back staging to main~2"
    assert [hold.version for hold in made.holds] == ["sha-3"]


def deployment(
    number: int, commit: str, *states: str, environment: str = "staging", task: str = "gitops-bot", ref: str = ""
) -> DeploymentState:
    when = datetime(2026, 8, 1, number, tzinfo=UTC)
    statuses = tuple(DeploymentStatus(state=state, created_at=when) for state in states)
    return DeploymentState(
        id=number, environment=environment, task=task, commit=commit, ref=ref, created_at=when, statuses=statuses
    )


def test_last_healthy_is_what_the_agent_saw_healthy(bumped: Stage) -> None:
    for number in (3, 4):
        bumped.checkout.commit({VALUES: FIRST.replace("sha-1", f"sha-{number}")})
    one, two, three, four = (bumped.git.commit(f"main~{back}") for back in (3, 2, 1, 0))
    known = [
        deployment(4, four, "failure", "in_progress"),
        deployment(3, three, "inactive", "failure", "success"),  # it was healthy for a while
        deployment(2, two, "inactive", "success", "in_progress"),
        deployment(1, one, "inactive", "success"),
        deployment(5, three, "success", environment="production"),
        deployment(6, three, "success", task="deploy"),
    ]
    belongs = belongs_to(bumped.settings, "staging", bumped.tree())
    allowed = allowed_in(bumped.settings, "staging", bumped.tree(), NOW)
    found = last_healthy(known, "staging", bumped.tree(), bumped.git.tree, belongs, allowed)
    made = bumped.undo(found)
    bumped.land(made)
    assert "sha-2" in bumped.read()
    assert f"goes back to {two[:7]}, deployed 2026-08-01 02:00 UTC, the last that was healthy" in made.proposal.message
    # What is deployed now does not count, and what is held does not either.
    hold = Hold(what="ghcr.io/acme/api", version="sha-1", why="x", by="x")
    bumped.checkout.commit({FILE: add_hold(None, hold)})
    allowed = allowed_in(bumped.settings, "staging", bumped.tree(), NOW)
    with pytest.raises(UsageError, match="no deployment of staging is known that was healthy"):
        last_healthy(known, "staging", bumped.tree(), bumped.git.tree, belongs, allowed)
    with pytest.raises(UsageError, match="1 could not be read any more"):
        last_healthy(known[3:4], "staging", bumped.tree(), lambda _commit: None, belongs, allowed)


def test_what_is_on_hold_is_not_gone_back_to(bumped: Stage) -> None:
    hold = Hold(what="ghcr.io/acme/api", version="sha-1", why="leaks", by="bob", environment="staging")
    bumped.checkout.commit({FILE: add_hold(None, hold)})
    with pytest.raises(Refused, match=r"is on hold itself: ghcr.io/acme/api sha-1 is held"):
        bumped.undo(to_revision("main~2", bumped.tree("main~2"), bumped.tree()))


# -- environments that follow tags -----------------------------------------------------------------------------------


@pytest.fixture
def released(stage: Callable[..., Stage]) -> Stage:
    """Two releases of production, and work on main since."""
    production = FIRST.replace("staging", "production")
    found = stage({VALUES: FIRST, "values-production.yaml": production})
    found.checkout.git("tag", "v1.0.0")
    found.checkout.commit({"values-production.yaml": production.replace("sha-1", "sha-2")}, "chore: promote")
    found.checkout.git("tag", "v1.1.0")
    found.checkout.commit(
        {
            "values-production.yaml": production.replace("sha-1", "sha-2").replace(
                "replicaCount: 2", "replicaCount: 3"
            ),
            "values.yaml": "new: 1\n",
        }
    )
    return found


def tags(stage: Stage) -> tuple[Tag, ...]:
    return tuple(
        Tag(name=name, commit=stage.git.commit(f"refs/tags/{name}"))
        for name in stage.checkout.git("tag", "--list").split()
    )


def release_change(stage: Stage) -> Change:
    belongs = belongs_to(stage.settings, "production", stage.tree())
    allowed = allowed_in(stage.settings, "production", stage.tree(), NOW)
    return previous_release(release_states(stage), belongs, allowed)


def release_states(stage: Stage) -> list[State]:
    return [
        State(CommitInfo(sha=each.commit, message=""), stage.git.tree(each.commit), each.name)
        for each in reversed(releases(tags(stage), "v*.*.*"))
    ]


def test_production_is_rolled_back_on_main_and_by_the_next_tag(released: Stage) -> None:
    assert branch_of(released.settings, "production") == "main"
    ask = msgspec.structs.replace(ASK, environment="production")
    coming = Commits(commits=(CommitInfo(sha="c" * 40, message="more replicas"),), total=1)
    made = released.undo(release_change(released), ask, tags=tags(released), commits=coming)
    commit = released.land(made)
    text = released.read("values-production.yaml")
    assert "tag: sha-1 # by the build" in text
    assert "replicaCount: 3" in text
    assert made.tag is not None
    assert made.tag.name == "v1.1.1"
    assert made.proposal.subject == "fix: roll back production to v1.0.0 (v1.1.1)"
    assert "### Also in the next tag" in made.proposal.body
    assert [(hold.version, hold.environment) for hold in made.holds] == [("sha-2", "production")]
    told = recorded("x\n\n" + "\n".join(f"{name}: {value}" for name, value in made.proposal.trailers))
    assert told is not None
    assert (told.source, told.target, told.level, told.tag) == ("", "production", "patch", "v1.1.1")
    released.checkout.git("tag", "v1.1.1", commit)
    assert release_change(released).label == "v1.0.0"  # v1.1.0 is on hold, v1.0.0 has another replicaCount
    released.checkout.git("tag", "--delete", "v1.0.0")
    with pytest.raises(UsageError, match=r"no release before v1\.1\.1 has other values"):
        release_change(released)


def test_without_releases_there_is_nothing_to_go_back_from(released: Stage) -> None:
    with pytest.raises(UsageError, match="no release yet"):
        previous_release([], lambda _path: True, lambda _tree: True)


# -- properties -------------------------------------------------------------------------------------------------------

keys = st.sampled_from(["tag", "digest", "replicas", "path", "flag", "note"])
scalars = st.one_of(
    st.integers(0, 9).map(str), st.sampled_from(["true", "'1e3'", "sha-1f0c2ab", '"x: y"', "s3://m/v1/"])
)
flat = st.dictionaries(keys, scalars, min_size=1, max_size=5)
documents = st.fixed_dictionaries({"image": flat, "model": flat})


def text_of(document: dict[str, dict[str, str]], comment: str) -> bytes:
    lines = [
        f"{name}:\n" + "".join(f"  {key}: {value}{comment}\n" for key, value in part.items())
        for name, part in document.items()
    ]
    return f"# {comment}\n{''.join(lines)}".encode()


class Trees:
    """Trees of one file, without a repository."""

    @staticmethod
    def of(data: bytes) -> Tree:
        from gitops_bot.model.tree import Entry

        oid = data.hex()
        return Tree(
            "root" + oid,
            {VALUES: Entry("100644", oid, len(data))},
            lambda oids: {one: bytes.fromhex(one) for one in oids},
        )


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(documents, documents, documents)
def test_undoing_gives_the_old_values_and_keeps_all_others_or_is_refused(
    before: dict[str, Any], after: dict[str, Any], other: dict[str, Any]
) -> None:
    """The file as it is now has the change, and other values and comments beside it."""
    good, bad = text_of(before, ""), text_of(after, "")
    mine = {name: {**other[name], **after[name]} for name in after}
    for name, part in mine.items():
        for key in before[name].keys() - after[name].keys():
            part.pop(key, None)  # what the change took out is not there again
    now = text_of(mine, " # now")
    try:
        made = revert(VALUES, Trees.of(good), Trees.of(bad), Trees.of(now), merge_text)
    except EditRefused:
        return
    result = yaml.load(made.change.content or b"") if made else yaml.load(now)
    first, second, third = yaml.load(good), yaml.load(bad), yaml.load(now)
    for name in ("image", "model"):
        for key in {*first[name], *second[name], *third[name]}:
            changed = first[name].get(key) != second[name].get(key)
            wanted = first[name].get(key) if changed else third[name].get(key)
            assert (result[name] or {}).get(key) == wanted
