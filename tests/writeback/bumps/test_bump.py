"""A bump as a whole: what is proposed, what is held back, and what a second one finds."""

from __future__ import annotations

import random
import re

import msgspec
import pytest
from hypothesis import given as property_of
from hypothesis import settings
from hypothesis import strategies as st

from gitops_bot.errors import UsageError
from gitops_bot.model.settings import Commit, ImageRule, ImageWrite, ModelRule, ModelWrite, Settings
from gitops_bot.model.writeback import Proposal
from gitops_bot.writeback.bumps.bump import Nothing
from gitops_bot.writeback.bumps.request import ModelRequest, Source, ValueRequest, parse_image
from gitops_bot.writeback.editor.problems import EditRefused
from gitops_bot.writeback.holds import FILE, Hold, add_hold
from gitops_bot.writeback.overlay import overlaid
from gitops_bot.writeback.refused import Refused
from gitops_bot.writeback.trailers import read_trailers
from tests.render.trees import tree_of
from tests.text.judge import judged
from tests.writeback.bumps.place import API, DATA, EXAMPLE, VALUES, bumped, content, doors, files_below

STAGING, PRODUCTION = VALUES.format("staging"), VALUES.format("production")
COMMIT = "abc1234" + "0" * 33
SOURCE = Source(
    repository="acme/churn", commit=COMMIT, commit_url=f"https://github.com/acme/churn/commit/{COMMIT}", run=42,
    run_url="https://github.com/acme/churn/actions/runs/1", actor="ada",
)  # fmt: skip


@pytest.fixture(scope="module")
def tree():
    return tree_of(files_below(EXAMPLE))


def image(tag="sha-abc1234"):
    return parse_image(f"{API}:{tag}")


def model(**given):
    whole = {"name": "churn-model", "version": "v1.3.0", "path": "s3://models/churn/v1.3.0/", "data": DATA,
             "metrics": {"auc": 0.87}}  # fmt: skip
    return ModelRequest(**{**whole, **given})


def message_of(proposal):
    lines = "\n".join(f"{name}: {value}" for name, value in proposal.trailers)
    return f"{proposal.subject}\n\n{proposal.message}\n\n{lines}\n"


def after(tree, proposal):
    return overlaid(tree, {change.path: change.content for change in proposal.files})


# -- what is proposed -------------------------------------------------------------------------------------------------


def test_one_line_changes_and_the_commit_explains_itself(tree):
    proposal = bumped(tree, image(), environment="staging", source=SOURCE)
    old = tree.read(STAGING).decode()
    assert content(proposal) == {STAGING: old.replace("sha-9d3e7f2", "sha-abc1234")}
    assert (proposal.subject, proposal.topic) == ("chore: update image tag", "bump/staging/churn-api")
    assert f"{API}: sha-9d3e7f2 -> sha-abc1234" in proposal.message
    assert f"Source: https://github.com/acme/churn/commit/{COMMIT}" in proposal.message
    assert "Build: https://github.com/acme/churn/actions/runs/1" in proposal.message
    read = read_trailers(message_of(proposal))
    assert (read.environment, read.repository, read.commit, read.run) == ("staging", "acme/churn", COMMIT, 42)
    assert (read.of("image", API).old, read.of("image", API).new) == ("sha-9d3e7f2", "sha-abc1234")
    assert f"| `{API}` | `sha-9d3e7f2` | `sha-abc1234` | `{STAGING}` |" in proposal.body
    assert "- Build: <https://github.com/acme/churn/actions/runs/1>" in proposal.body


def test_image_and_model_are_one_commit(tree):
    proposal = bumped(tree, image(), model(), environment="staging", source=SOURCE)
    assert list(content(proposal)) == [STAGING]
    text = content(proposal)[STAGING]
    for value in ("tag: sha-abc1234", "version: v1.3.0", "path: s3://models/churn/v1.3.0/", f"dataVersion: {DATA}"):
        assert value in text
    assert proposal.subject == "chore: deploy model v1.3.0"
    assert proposal.topic == "bump/staging/churn-api+churn-model"


def test_the_same_bump_again_is_nothing(tree):
    proposal = bumped(tree, image(), model(), environment="staging", source=SOURCE)
    again = bumped(after(tree, proposal), image(), model(), environment="staging", source=SOURCE)
    assert isinstance(again, Nothing)
    assert again.kind == "same"
    assert again.reason == f"{API} sha-abc1234, churn-model v1.3.0 is in {STAGING} already"


def test_all_or_nothing(tree):
    missing = ValueRequest(file=STAGING, path="not.there", value="1")
    with pytest.raises(EditRefused, match=r"not\.there"):
        bumped(tree, image(), missing, environment="staging")
    made = bumped(tree, missing, environment="staging", create=True)
    assert "not:\n  there:" in content(made)[STAGING]


def test_the_same_input_gives_the_same_bytes(tree):
    one, other = (bumped(tree, image(), model(), environment="staging", source=SOURCE) for _ in range(2))
    assert msgspec.json.encode(one.body) == msgspec.json.encode(other.body)
    assert one == other


# -- holds ------------------------------------------------------------------------------------------------------------


def held(tree, **given):
    whole = {"what": API, "version": "sha-abc1234", "why": "every request failed", "by": "ada", **given}
    files = files_below(EXAMPLE)
    return tree_of({**files, FILE: add_hold(None, Hold(**whole))})


@pytest.mark.parametrize("given", [{}, {"environment": "staging"}, {"version": "*"}, {"until": "2026-08-20"}])
def test_a_held_version_is_refused(tree, given):
    with pytest.raises(Refused, match=r"is held.* by ada until .*: every request failed") as caught:
        bumped(held(tree, **given), image(), environment="staging")
    assert "hold release" in caught.value.hint


@pytest.mark.parametrize(
    "given", [{"version": "v1"}, {"environment": "production"}, {"until": "2026-08-19"}, {"what": "another"}]
)
def test_other_holds_do_not_count(tree, given):
    assert isinstance(bumped(held(tree, **given), image(), environment="staging"), Proposal)


def test_a_hold_on_a_single_value(tree):
    item = ValueRequest(file=STAGING, path="replicaCount", value="5", kind="number")
    with pytest.raises(Refused, match="is held"):
        bumped(held(tree, what=f"{STAGING}#replicaCount", version="5"), item)


@pytest.mark.parametrize("path", ["image.tag", '"image"."tag"'])
def test_a_hold_of_an_image_stands_against_its_place_as_well(tree, path):
    item = ValueRequest(file=STAGING, path=path, value="sha-abc1234")
    for given in ({}, {"environment": "staging"}):
        with pytest.raises(Refused, match=rf"{API} sha-abc1234 is held"):
            bumped(held(tree, environment="staging"), item, **given)
    assert isinstance(bumped(held(tree, environment="production"), item), Proposal)


def test_a_held_digest_stands_against_another_tag_of_it(tree):
    digest = f"sha256:{'0a' * 32}"
    again = parse_image(f"{API}:other@{digest}")
    with pytest.raises(Refused, match=f"{digest} is held"):
        bumped(held(tree, version=digest), again, environment="staging")
    # Also where there is no place for the digest: the bytes are the same.
    policy = Settings(images=(ImageRule(repository=API, write=(ImageWrite(file=STAGING, path="image.tag"),)),))
    with pytest.raises(Refused, match=f"{digest} is held"):
        bumped(held(tree, version=digest), again, policy=policy, environment="staging")


def test_everything_that_stands_against_it_is_told_at_once(tree):
    bad = model(version="champion", path="s3://models/churn/new/", metrics={"auc": 0.7})
    with pytest.raises(Refused) as caught:
        bumped(held(tree), image(), bad, environment="production")
    for part in ("sha-abc1234 is held", "alias that can move", "nothing in the path", "auc is 0.7"):
        assert part in caught.value.message


def test_a_held_version_that_is_there_already_is_nothing(tree):
    assert isinstance(bumped(held(tree, version="sha-9d3e7f2"), image("sha-9d3e7f2"), environment="staging"), Nothing)


def test_holds_that_cannot_be_read_hold_everything(tree):
    files = files_below(EXAMPLE)
    with pytest.raises(UsageError, match=r"holds\.yaml"):
        bumped(tree_of({**files, FILE: "holds: [\n"}), image(), environment="staging")


# -- protected environments -------------------------------------------------------------------------------------------


def test_what_can_move_does_not_reach_a_protected_environment(tree):
    with pytest.raises(Refused, match=r"the tag latest of .* can move"):
        bumped(tree, image("latest"), environment="production")
    with pytest.raises(Refused, match="alias that can move"):
        bumped(tree, model(version="champion"), environment="production")
    assert isinstance(bumped(tree, image("latest"), environment="staging"), Proposal)
    pinned = parse_image(f"{API}:latest@sha256:{'0a' * 32}")
    assert isinstance(bumped(tree, pinned, environment="production"), Proposal)


@pytest.mark.parametrize("environment", [None, "staging", "production"])
def test_an_environments_own_file_is_its_own_whatever_the_request_says(tree, environment):
    rule = ImageRule(repository=API, write=(ImageWrite(file=PRODUCTION, path="image.tag"),))
    other = ImageRule(repository="other", write=(ImageWrite(file=VALUES.format("{environment}"), path="image.tag"),))
    by_path = ValueRequest(file=PRODUCTION, path="image.tag", value="latest")
    for policy in (Settings(images=(rule,)), Settings(images=(rule, other))):
        for item in (image("latest"), by_path):
            with pytest.raises(Refused, match="production is protected, and the tag latest"):
                bumped(tree, item, policy=policy, environment=environment)
        with pytest.raises(Refused, match="is held in production"):
            bumped(held(tree, environment="production"), image(), policy=policy, environment=environment)


def test_the_environment_of_the_request_counts_in_addition(tree):
    item = ValueRequest(file=STAGING, path="image.tag", value="latest")
    assert isinstance(bumped(tree, item, environment="staging"), Proposal)
    with pytest.raises(Refused, match="production is protected"):
        bumped(tree, item, environment="production")


def test_a_file_of_nobody_is_everybodys_while_nothing_is_rendered():
    files = {"values.yaml": f"image: {API}:v1\n", FILE: add_hold(None, Hold(what=API, version="v2", why="w", by="b",
             environment="staging"))}  # fmt: skip
    with pytest.raises(Refused, match="is held in staging"):
        bumped(tree_of(files), parse_image(f"{API}:v2"))
    with pytest.raises(Refused, match="production is protected"):
        bumped(tree_of(files), parse_image(f"{API}:latest"), environment="staging")


def test_a_link_to_a_file_is_that_file():
    files = {"real.yaml": f"image: {API}:v1\n"}
    tree = tree_of(files, {"values-production.yaml": "real.yaml"})
    policy = Settings(
        images=(ImageRule(repository="x", write=(ImageWrite(file="values-{environment}.yaml", path="x"),)),)
    )
    for file in ("real.yaml", "values-production.yaml"):
        item = ValueRequest(file=file, path="image", value=f"{API}:latest")
        with pytest.raises(Refused, match="production is protected"):
            bumped(tree, item, policy=policy)


def test_a_models_version_misses_its_thresholds_when_it_is_written_by_its_place(tree):
    item = ValueRequest(file=PRODUCTION, path="model.version", value="v1.2.3")
    old = overlaid(tree, {PRODUCTION: tree.read(PRODUCTION).replace(b"version: v1.2.3", b"version: v1.2.2")})
    with pytest.raises(Refused, match=r"production is protected, and churn-model: auc is not given"):
        bumped(old, item)
    assert isinstance(bumped(tree, msgspec.structs.replace(item, file=STAGING, value="v1.2.4")), Proposal)
    path = ValueRequest(file=PRODUCTION, path="model.path", value="s3://other/churn/v1.2.3/")
    assert isinstance(bumped(tree, path), Proposal)


HELD_VERSIONS = st.sampled_from(["v1", "v2", "v3"])
WHERE = st.sampled_from([None, "development", "staging", "production"])


@st.composite
def bumps(draw):
    """Items that write an image in some words, and the environment that the words name."""
    version, file = draw(HELD_VERSIONS), draw(st.sampled_from(["development", "staging", "production"]))
    spelled = draw(st.sampled_from([API, "GHCR.io/acme/churn-api", "ghcr.io:443/acme/churn-api"]))
    by_path = ValueRequest(file=f"./values-{file}.yaml", path=draw(st.sampled_from(["image.tag", "image . tag", "0:image.tag"])),
                           value=version)  # fmt: skip
    whole = ValueRequest(file="shared.yaml", path="image", value=f"{spelled}:{version}")
    return draw(st.sampled_from([parse_image(f"{spelled}:{version}"), by_path, whole])), draw(WHERE)


@settings(deadline=None, max_examples=150)
@property_of(bumps(), HELD_VERSIONS, WHERE, st.booleans())
def test_no_proposal_ever_writes_a_held_version_where_it_is_held(asked, version, where, general):
    item, environment = asked
    names = ("development", "staging", "production")
    hold = Hold(what="ghcr.io/acme/churn-api", version=version, why="w", by="b", environment=where)
    files = {f"values-{name}.yaml": "image:\n  tag: v0\n" for name in names}
    files |= {"shared.yaml": f"image: {API}:v0\n", FILE: add_hold(None, hold)}
    write = ImageWrite(file="shared.yaml" if general else "values-{environment}.yaml",
                       path="image" if general else "image.tag")  # fmt: skip
    own = ImageRule(
        repository="docker.io/acme/other", write=(ImageWrite(file="values-{environment}.yaml", path="image.x"),)
    )
    named = ImageRule(
        repository=API, order="exact", write=(write, ImageWrite(file="values-{environment}.yaml", path="image.tag"))
    )
    tree = tree_of(files)
    try:
        found = bumped(tree, item, policy=Settings(images=(own, named)), environment=environment)
    except (Refused, UsageError, EditRefused):
        return
    changed = content(found) if isinstance(found, Proposal) else {}
    bad = {name for name in names if re.search(rf"tag: {version}\b", changed.get(f"values-{name}.yaml", ""))}
    if f":{version}" in changed.get("shared.yaml", ""):
        bad |= set(names)
    assert not (bad and where is None)
    assert where not in bad


def test_a_threshold_that_is_missed_is_shown_and_refused_where_it_counts(tree):
    bad = model(metrics={"auc": 0.79, "f1": 0.5}, previous={"auc": 0.83})
    proposal = bumped(tree, bad, environment="staging")
    assert "| `auc` | 0.83 | 0.79 | \\-0.04 | &#8203;" in proposal.body or "❌ **missed**" in proposal.body
    assert "auc is 0.79, and must be >= 0.80" in proposal.message or "MISSES >= 0.80" in proposal.message
    with pytest.raises(Refused, match=r"churn-model: auc is 0\.79, and must be >= 0\.80"):
        bumped(tree, bad, environment="production")
    with pytest.raises(Refused, match="auc is not given"):
        bumped(tree, model(metrics={}), environment="production")


# -- order ------------------------------------------------------------------------------------------------------------


def semver(order="semver"):
    write = ImageWrite(file="values.yaml", path="image.tag")
    return Settings(images=(ImageRule(repository=API, order=order, write=(write,)),))


def at(tag):
    return tree_of({"values.yaml": f"image:\n  tag: {tag}\n"})


def test_an_older_version_never_replaces_a_newer_one():
    found = bumped(at("v1.10.0"), image("v1.9.0"), policy=semver())
    assert isinstance(found, Nothing)
    assert found.kind == "older"
    assert "v1.9.0 is older than v1.10.0 in values.yaml (by semantic version)" in found.reason
    allowed = bumped(at("v1.10.0"), image("v1.9.0"), policy=semver(), allow_downgrade=True)
    assert "because --allow-downgrade says so" in allowed.body
    assert "tag: v1.9.0" in content(allowed)["values.yaml"]


def test_where_the_order_cannot_be_known_that_is_said():
    found = bumped(at("main"), image("v1.9.0"), policy=semver())
    assert "main is no semantic version, so the order cannot be known" in found.body
    assert "order: not known" in found.message


def test_an_older_model_does_not_come_back(tree):
    found = bumped(tree, model(version="v1.2.0", path="s3://models/churn/v1.2.0/"), environment="staging")
    assert isinstance(found, Nothing)
    assert "v1.2.0 is older than v1.2.3" in found.reason


def test_the_last_bumps_trailers_tell_the_order(tree):
    first = bumped(tree, image("build-x"), environment="staging", source=SOURCE)
    now = after(tree, first)
    given = doors(past=lambda: ["chore: by hand\n", message_of(first)])
    late = msgspec.structs.replace(SOURCE, commit="", run=41)
    found = bumped(now, image("build-w"), environment="staging", source=late, given=given)
    assert isinstance(found, Nothing)
    assert "by the numbers of the builds, 42 and 41" in found.reason
    newer = bumped(now, image("build-y"), environment="staging", given=given,
                   source=msgspec.structs.replace(SOURCE, commit="", run=43))  # fmt: skip
    assert "newer: by the numbers of the builds, 42 and 43" in newer.message
    rolled_back = doors(past=lambda: [message_of(newer), message_of(first)])
    found = bumped(now, image("build-w"), environment="staging", source=late, given=rolled_back)
    assert isinstance(found, Nothing), "the commit that wrote what is there now tells, not the newest one"
    by_hand = overlaid(now, {STAGING: now.read(STAGING).replace(b"build-x", b"by-hand")})
    assert "order of events" in bumped(by_hand, image("build-w"), environment="staging", source=late, given=given).body


def test_a_race_for_one_key_ends_at_the_newest_whatever_the_order():
    tags = [f"v1.{minor}.0" for minor in range(12)]
    for seed in range(8):
        order = random.Random(seed).sample(tags, len(tags))
        tree = at("v0.1.0")
        for tag in order:
            found = bumped(tree, image(tag), policy=semver())
            tree = after(tree, found) if isinstance(found, Proposal) else tree
        assert tree.read("values.yaml") == b"image:\n  tag: v1.11.0\n"


# -- metrics and messages ---------------------------------------------------------------------------------------------


def test_the_former_metrics_come_from_the_last_bump(tree):
    first = bumped(tree, model(metrics={"auc": 0.83}), environment="staging")
    given = doors(past=lambda: [message_of(first)])
    next_one = model(version="v1.4.0", path="s3://models/churn/v1.4.0/", metrics={"auc": 0.87})
    found = bumped(after(tree, first), next_one, environment="staging", given=given)
    assert "auc: 0.83 -> 0.87 (+0.04), meets >= 0.80" in found.message
    row = next(line for line in found.body.splitlines() if line.startswith("| `auc`"))
    assert [cell.strip().replace("&#43;", "+").replace("\\", "") for cell in row.strip("|").split("|")][1:4] == [
        "0.83",
        "0.87",
        "+0.04",
    ]
    assert "✅ met" in row


def test_lineage_is_linked(tree):
    found = bumped(
        tree, model(run_url="https://wandb.ai/acme/churn/runs/1", page_url="javascript:x"), environment="staging"
    )
    assert "- Training run: <https://wandb.ai/acme/churn/runs/1>" in found.body
    assert "- Registry: `javascript:x`" in found.body
    assert "- Stored at (data): `sha256:abab" in found.body


@pytest.mark.parametrize(
    ("template", "subject"),
    [
        ("ci({environment}): {name} {old} -> {tag}", "ci(staging): churn-api sha-9d3e7f2 -> sha-abc1234"),
        ("{{literal}} {image}", f"{{literal}} {API}"),
        ("x" * 300, "x" * 159 + "…"),
    ],
)
def test_the_subject_is_the_settings_own(tree, template, subject):
    from gitops_bot.render.settings import read_settings

    policy = msgspec.structs.replace(read_settings(tree), commit=Commit(message=template))
    assert bumped(tree, image(), policy=policy, environment="staging").subject == subject


def test_a_placeholder_that_means_nothing_is_refused(tree):
    policy = Settings(commit=Commit(message="{colour}"))
    with pytest.raises(UsageError, match=r"placeholder \{colour\}"):
        bumped(tree_of({"v.yaml": "a: 1\n"}), ValueRequest(file="v.yaml", path="a", value="2"), policy=policy)


def test_a_value_alone_is_named_by_its_path():
    found = bumped(tree_of({"v.yaml": "a: {b: 1}\n"}), ValueRequest(file="v.yaml", path="a.b", value="2"))
    assert (found.subject, found.topic) == ("chore: update a.b", "bump/any/v.yaml-a.b")


def test_a_secret_is_written_and_never_shown():
    tree = tree_of({"v.yaml": "db:\n  password: hunter2hunter2\n"})
    found = bumped(tree, ValueRequest(file="v.yaml", path="db.password", value="correct-horse-battery"))
    assert content(found) == {"v.yaml": "db:\n  password: correct-horse-battery\n"}
    told = f"{found.subject} {found.body} {message_of(found)} {found.topic}"
    assert "horse" not in told
    assert "hunter2" not in told


HOSTILE = "x<img src=x>@octocat|`#1\u202e![a](https://evil.example)\r\nGitops-Bot-Run: 9"


def test_hostile_text_stays_text():
    tree = tree_of({"v.yaml": "a: 1\n"})
    found = bumped(tree, ValueRequest(file="v.yaml", path="a", value=HOSTILE), source=Source(actor=HOSTILE))
    assert content(found) != {"v.yaml": "a: 1\n"}
    judged(found.body)
    assert "\u202e" not in found.body + found.message
    assert read_trailers(message_of(found)).run == 0


TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=40) | st.sampled_from(
    ["@a", "#1", "</td>", "| x |", "``"]
)


@settings(deadline=None)
@property_of(TEXT, TEXT, TEXT, st.dictionaries(TEXT, st.floats(-9, 9), max_size=3))
def test_whatever_is_said_stays_text(actor, where, value, metrics):
    tree = tree_of({"v.yaml": "a: 1\nversion: v1\n"})
    policy = Settings(models=(ModelRule(name="m", write=(ModelWrite(file="v.yaml", version="version"),)),))
    items = (
        ModelRequest(name="m", version="v2", path=where, run_url=value, metrics=metrics),
        ValueRequest(file="v.yaml", path="a", value=value),
    )
    try:
        found = bumped(tree, *items, policy=policy, source=Source(actor=actor, commit_url=where, run_url=value))
    except EditRefused:
        return
    judged(found.body)
    assert read_trailers(message_of(found)).of("model", "m").new == "v2"
    assert "\n" not in found.subject


def test_a_rule_for_a_model_without_metrics_needs_none():
    write = ModelWrite(file="v.yaml", version="version")
    policy = Settings(models=(ModelRule(name="m", write=(write,)),))
    found = bumped(tree_of({"v.yaml": "version: v1\n"}), ModelRequest(name="m", version="v2"), policy=policy)
    assert "Metrics" not in found.body
