import copy
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_bot.actions import names
from gitops_bot.actions.activity import (
    Activity,
    BranchPushed,
    CommentMade,
    Ignored,
    PullRequestChanged,
    QueuedForMerge,
    RepositoryDispatched,
    Scheduled,
    TagPushed,
    WorkflowDispatched,
    WorkflowFinished,
)
from gitops_bot.actions.event import EVENTS, LARGEST_EVENT, activity, read_event
from gitops_bot.errors import UsageError
from tests.actions import payloads as p

_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gitops-bot"
"""Looked up when this module is imported, before the home is hidden."""


def read(name, payload, ref="refs/heads/main"):
    return activity(name, payload, ref)


def changed(**more):
    return PullRequestChanged(
        **{
            "number": 7,
            "base_sha": p.BASE,
            "base_ref": "main",
            "head_sha": p.HEAD,
            "head_ref": "feature/blue",
            "head_repository": p.HERE,
            "merge_sha": p.MERGE,
            "fork": False,
            "read_only": False,
            "action": "synchronize",
            **more,
        }
    )


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (p.pull_request("opened"), changed(action="opened", merge_sha="")),
        (p.pull_request("synchronize"), changed()),
        (p.pull_request("reopened"), changed(action="reopened")),
        (p.pull_request("ready_for_review"), changed(action="ready_for_review")),
        (p.pull_request("labeled", label={"name": "diff"}), changed(action="labeled")),
        (p.pull_request("edited", changes={"base": {"ref": {"from": "develop"}}}), changed(action="edited")),
        (p.pull_request("edited", changes={"title": {"from": "x"}}), changed(action="edited")),
        (p.pull_request("synchronize", sender={"login": "dependabot[bot]", "type": "Bot"}), changed(read_only=True)),
        (p.pull_request("synchronize", sender=None), changed()),
        (
            p.pull_request("synchronize", head_repository=p.FORK),
            changed(head_repository="stranger/shop", fork=True, read_only=True),
        ),
        (p.pull_request("synchronize", head_repository=None), changed(head_repository="", fork=True, read_only=True)),
        # A repository that is itself a fork of another: pull requests inside it are nobody else's.
        (p.pull_request("synchronize", head_repository={**p.REPOSITORY, "fork": True}), changed()),
        (
            p.pull_request("synchronize", head_repository={"id": 1, "full_name": "Octo/Shop"}),
            changed(head_repository="Octo/Shop"),
        ),
    ],
)
def test_pull_requests(payload, expected):
    assert read("pull_request", payload) == expected


@pytest.mark.parametrize("head_repository", [p.REPOSITORY, p.FORK, None])
def test_target_events_come_with_the_right_to_write(head_repository):
    found = read("pull_request_target", p.pull_request("synchronize", head_repository=head_repository))
    assert (found.target_event, found.read_only, found.fork) == (True, False, head_repository != p.REPOSITORY)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (p.pull_request("closed"), "pull request 7 is closed"),
        (p.pull_request("assigned"), "assigned changes nothing"),
        (p.pull_request("unlabeled"), "unlabeled changes nothing"),
        (p.pull_request("something_new"), "something_new changes nothing"),
    ],
)
def test_what_is_ignored_of_a_pull_request(payload, reason):
    found = read("pull_request", payload)
    assert isinstance(found, Ignored)
    assert reason in found.reason


def test_a_label_on_a_closed_pull_request_is_ignored():
    payload = p.pull_request("labeled")
    payload["pull_request"]["state"] = "closed"
    assert read("pull_request", payload) == Ignored(reason="pull request 7 is closed")


def pushed(**more):
    return BranchPushed(
        **{
            "branch": "main",
            "before": p.BASE,
            "after": p.HEAD,
            "created": False,
            "deleted": False,
            "forced": False,
            "by_bot": False,
            **more,
        }
    )


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (p.push("refs/heads/main"), pushed()),
        (p.push("refs/heads/develop"), pushed(branch="develop")),
        (p.push("refs/heads/feature/v1.2.3"), pushed(branch="feature/v1.2.3")),
        (p.push("refs/heads/main", p.NOTHING), pushed(before="", created=True)),
        (p.push("refs/heads/main", after=p.NOTHING), pushed(after="", deleted=True)),
        (p.push("refs/heads/main", forced=True), pushed(forced=True)),
        (p.push("refs/heads/main", sender=p.BOT), pushed(by_bot=True)),
        (p.push("refs/heads/main", sender={"login": "renovate[bot]"}), pushed(by_bot=True)),
        (p.push("refs/heads/main", sender=None), pushed()),
        (p.push("refs/heads/main", "1" * 64, "2" * 64), pushed(before="1" * 64, after="2" * 64)),
        (
            p.push("refs/tags/v1.2.3", p.NOTHING),
            TagPushed(tag="v1.2.3", sha=p.HEAD, deleted=False),
        ),
        (
            p.push("refs/tags/v1.2.3-rc.1", p.NOTHING),
            TagPushed(tag="v1.2.3-rc.1", sha=p.HEAD, deleted=False),
        ),
        (p.push("refs/tags/main", p.NOTHING), TagPushed(tag="main", sha=p.HEAD, deleted=False)),
        (
            p.push("refs/tags/v1.2.3", after=p.NOTHING),
            TagPushed(tag="v1.2.3", sha="", deleted=True),
        ),
        (p.push("refs/notes/commits"), Ignored(reason="what was pushed is neither a branch nor a tag")),
    ],
)
def test_pushes(payload, expected):
    assert read("push", payload) == expected


def test_the_zeros_decide_whether_a_branch_is_new_not_the_flags():
    payload = p.push("refs/heads/main") | {"created": True, "deleted": True}
    assert read("push", payload) == pushed()


@pytest.mark.parametrize("on_pull", [True, False])
def test_comments(on_pull):
    assert read("issue_comment", p.comment(pull=on_pull)) == CommentMade(
        number=7, comment_id=99, author="ada", association="MEMBER", body="/gitops-bot again",
        created_at="2024-05-01T12:00:00Z", on_pull=on_pull, repository=p.HERE,
    )  # fmt: skip


def test_a_comment_of_an_account_that_is_gone():
    assert read("issue_comment", p.comment(user=None)).author == ""


@pytest.mark.parametrize("action", ["edited", "deleted"])
def test_only_new_comments_ask_for_something(action):
    assert read("issue_comment", p.comment(action)) == Ignored(
        reason=f"a comment that is {action} asks for nothing new"
    )


def finished(**more):
    return WorkflowFinished(
        **{
            "run_id": 30433642,
            "event": "pull_request",
            "conclusion": "success",
            "head_sha": p.HEAD,
            "head_branch": "feature/blue",
            "head_repository": p.HERE,
            "fork": False,
            "pulls": (),
            **more,
        }
    )


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (p.workflow_run(pulls=[p.pull_of_run(7)]), finished(pulls=(7,))),
        # GitHub also lists the pull requests that other repositories have for the same commit.
        (p.workflow_run(pulls=[p.pull_of_run(3, repository=2), p.pull_of_run(7)]), finished(pulls=(7,))),
        (p.workflow_run(head_repository=p.FORK), finished(head_repository="stranger/shop", fork=True)),
        (p.workflow_run(head_repository=None), finished(head_repository="", fork=True)),
        (p.workflow_run(conclusion=None), finished(conclusion="")),
        (p.workflow_run("requested"), Ignored(reason="the workflow run is requested, not completed")),
    ],
)
def test_workflow_runs(payload, expected):
    assert read("workflow_run", payload) == expected


def test_a_workflow_run_without_branch():
    payload = p.workflow_run()
    payload["workflow_run"]["head_branch"] = None
    assert read("workflow_run", payload) == finished(head_branch="")


@pytest.mark.parametrize(("sent", "read_as"), [(p.MODEL_ADDED, p.MODEL_ADDED), ({}, {}), (None, {})])
def test_repository_dispatch_hands_the_payload_on_as_it_is(sent, read_as):
    found = read("repository_dispatch", p.repository_dispatch(sent))
    assert found == RepositoryDispatched(type="model-registered", payload=read_as)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (
            {"inputs": {"tag": "v1", "dry": True, "count": 3, "none": None}, "ref": "refs/tags/v1"},
            WorkflowDispatched(inputs={"tag": "v1", "dry": "true", "count": "3", "none": ""}, ref="refs/tags/v1"),
        ),
        ({"inputs": None}, WorkflowDispatched(inputs={}, ref="refs/heads/main")),
        ({}, WorkflowDispatched(inputs={}, ref="refs/heads/main")),
    ],
)
def test_workflow_dispatch(payload, expected):
    assert read("workflow_dispatch", payload) == expected


def test_schedule():
    assert read("schedule", {"schedule": "0 3 * * *"}) == Scheduled(cron="0 3 * * *")


def test_merge_group():
    assert read("merge_group", p.merge_group()) == QueuedForMerge(
        base_sha=p.BASE, head_sha=p.HEAD, base_ref="main", head_ref=f"gh-readonly-queue/main/pr-104-{p.BASE}"
    )
    assert isinstance(read("merge_group", p.merge_group("destroyed")), Ignored)


@pytest.mark.parametrize("name", ["issues", "release", "pull_request_review", "", "::error::"])
def test_other_events_are_ignored_and_the_known_ones_named(name):
    found = read(name, {})
    assert isinstance(found, Ignored)
    assert all(known in found.reason for known in EVENTS)


COMPLETE = {
    "pull_request": p.pull_request("synchronize"),
    "pull_request_target": p.pull_request("edited", changes={"base": {"ref": {"from": "x"}}}),
    "push": p.push("refs/heads/main"),
    "issue_comment": p.comment(),
    "workflow_run": p.workflow_run(pulls=[p.pull_of_run(7)]),
    "repository_dispatch": p.repository_dispatch(),
    "workflow_dispatch": {"inputs": {"tag": "v1"}, "ref": "refs/heads/main"},
    "schedule": {"schedule": "0 3 * * *"},
    "merge_group": p.merge_group(),
}


def places(value, path=()):
    """Every field of a payload, as the keys that lead to it."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))


def replaced(payload, path, value):
    """The payload with another value at one place; Ellipsis removes it."""
    payload = copy.deepcopy(payload)
    inner = payload
    for key in path[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return payload


HOSTILE = [
    ..., None, True, 0, -1, 1.5, float("nan"), float("inf"), 10**30, "", "x\0y", "--upload-pack=touch /tmp/x",
    "../../etc/passwd", "refs/heads/--output=x", "A" * 41, "é" * 40, "\ud800", "x" * 1_000_001, [], [[]], {}, {"a": 1},
]  # fmt: skip


@pytest.mark.parametrize("event", EVENTS)
def test_a_damaged_payload_is_an_error_that_names_event_and_field_or_it_makes_no_difference(event):
    assert set(COMPLETE) == set(EVENTS)
    told = 0
    for path in places(COMPLETE[event]):
        for value in HOSTILE:
            found = activity_or_error(event, replaced(COMPLETE[event], path, value))
            if isinstance(found, UsageError):
                told += 1
                assert f"the event {event}" in found.message
                assert found.hint
                assert len(found.message) < 200
                assert "etc/passwd" not in found.message
                assert "upload-pack" not in found.message
            else:
                assert_sane(found)
    assert told > 10 or event in ("schedule", "workflow_dispatch", "repository_dispatch")


def activity_or_error(event, payload):
    try:
        return read(event, payload)
    except UsageError as error:
        return error


def assert_sane(found: Activity) -> None:
    """Nothing that came out can be an option, a path that leads upwards, or something that is no commit."""
    free = ("payload", "inputs", "body", "reason", "cron", "type")
    for name in found.__struct_fields__:
        value = getattr(found, name)
        if name in ("number", "comment_id", "run_id"):
            assert type(value) is int, name
            assert value > 0, name
        if name.endswith("sha") or name in ("before", "after"):
            assert value == "" or (len(value) in (40, 64) and set(value) <= set("0123456789abcdef")), name
        elif isinstance(value, str) and name not in free:
            assert not value.startswith("-"), name
            assert ".." not in value, name
            assert "\0" not in value, name
            assert len(value) < 1100, name


@pytest.mark.parametrize(
    ("event", "path", "message"),
    [
        ("pull_request", ("pull_request",), "the event pull_request has no pull_request"),
        ("pull_request", ("pull_request", "head", "sha"), "the event pull_request has no pull_request.head.sha"),
        (
            "pull_request_target",
            ("pull_request", "base", "ref"),
            "the event pull_request_target has no pull_request.base.ref",
        ),
        ("push", ("after",), "the event push has no after"),
        (
            "workflow_run",
            ("workflow_run", "pull_requests", 0, "number"),
            "the event workflow_run has no workflow_run.pull_requests[0].number",
        ),
        ("issue_comment", ("comment", "created_at"), "the event issue_comment has no comment.created_at"),
    ],
)
def test_what_is_missing_is_named(event, path, message):
    with pytest.raises(UsageError) as caught:
        read(event, replaced(COMPLETE[event], path, ...))
    assert caught.value.message == message


def test_a_push_of_nothing_over_nothing():
    with pytest.raises(UsageError, match="both the id of nothing"):
        read("push", p.push("refs/heads/main", p.NOTHING, p.NOTHING))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(EVENTS), st.data())
def test_any_value_at_any_place_gives_an_activity_or_one_error(event, data):
    path = data.draw(st.sampled_from(list(places(COMPLETE[event]))))
    found = activity_or_error(event, replaced(COMPLETE[event], path, data.draw(JSON)))
    if isinstance(found, UsageError):
        assert event in found.message
    else:
        assert_sane(found)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b'{"a": "\xff"}', "is not JSON"),
        (b'{"a": NaN}', "is not JSON"),
        (b'{"a": 1e999}', "is not JSON"),
        (b'{"a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", "is not JSON"),
        (b"[]", "holds no JSON object"),
        (b"null", "holds no JSON object"),
    ],
)
def test_a_file_that_is_no_event(tmp_path, content, message):
    path = tmp_path / "event.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=f"the event push {message}"):
        read_event(str(path), "push")


def test_a_number_of_a_million_digits_is_not_read_into_anything(tmp_path):
    path = tmp_path / "event.json"
    path.write_bytes(
        json.dumps(COMPLETE["pull_request"]).encode().replace(b'"number": 7', b'"number": ' + b"7" * 1_000_000)
    )
    with pytest.raises(UsageError):
        read("pull_request", read_event(str(path), "pull_request"))


def test_an_event_of_a_size_that_github_never_sends_is_not_read(tmp_path):
    path = tmp_path / "event.json"
    with path.open("wb") as file:
        file.truncate(LARGEST_EVENT + 1)
    with pytest.raises(UsageError, match="larger than 32 MiB"):
        read_event(str(path), "push")


def test_no_file_and_a_directory(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            read_event(str(path), "push")


def test_an_event_from_a_file(tmp_path):
    path = tmp_path / "event.json"
    path.write_text(json.dumps(COMPLETE["pull_request"]))
    assert read("pull_request", read_event(str(path), "pull_request")) == changed()


def recorded():
    """GitHub's own examples of payloads, where the judges of the fake GitHub have been fetched."""
    return sorted(_CACHE.glob("test-judges/*/webhooks-examples/index.json"))


def test_githubs_own_examples():
    found = recorded()
    if not found:
        pytest.skip("GitHub's examples of webhooks are not here; make test-tools (needs npm)")
    read_as: dict[str, set[str]] = {}
    for entry in json.loads(found[-1].read_text()):
        for example in entry["examples"]:
            name = entry["name"]
            result = read(name, example)
            read_as.setdefault(name, set()).add(type(result).__name__)
            assert_sane(result)
            if name == "pull_request":
                assert_sane(read("pull_request_target", example))
    assert {name: read_as[name] for name in EVENTS if name in read_as} == {
        "pull_request": {"PullRequestChanged", "Ignored"},
        "push": {"BranchPushed", "TagPushed"},
        "issue_comment": {"CommentMade", "Ignored"},
        "workflow_run": {"WorkflowFinished", "Ignored"},
        "repository_dispatch": {"RepositoryDispatched"},
        "workflow_dispatch": {"WorkflowDispatched"},
        "merge_group": {"QueuedForMerge"},
    }


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("main", True), ("feature/blue", True), ("refs/heads/main", True), ("HEAD", True), ("größe", True),
        ("dependabot/npm_and_yarn/x-1.2", True), ("a@b", True), ("", False), ("@", False), ("-x", False),
        ("refs/heads/-x", False), ("refs/tags/--all", False), ("a..b", False), ("a b", False), ("a\nb", False), ("a:b", False),
        ("a^", False), ("a~1", False), ("a@{1}", False), ("a//b", False), ("a/", False), ("/a", False), (".a", False),
        ("a/.b", False), ("a.lock", False), ("a.lock/b", False), ("a.", False), ("*", False), ("a\\b", False),
    ],
)  # fmt: skip
def test_names_of_branches_and_tags_agree_with_git(repository, name, right):
    assert names.is_ref(name) == right
    if right and name != "HEAD" and not name.startswith("refs/"):
        repository({}).git("check-ref-format", "--branch", name)


def test_every_name_that_is_taken_git_takes_too(repository):
    checkout = repository({})
    signs = "aaabé--../@~:"

    @given(st.text(st.sampled_from(signs), min_size=1, max_size=6))
    @settings(max_examples=150, deadline=None)
    def compare(name):
        if names.is_ref(name):
            checkout.git("check-ref-format", f"refs/heads/{name}")

    compare()


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("octo/shop", True), ("octo_acme/shop.github.io", True), ("o/.github", True), ("octo", False), ("a/b/c", False),
        ("../x", False), ("a/..", False), ("a/.", False), ("-a/b", False), ("a/b\n", False), ("a/b c", False), ("", False),
    ],
)  # fmt: skip
def test_names_of_repositories(name, right):
    assert names.is_repository(name) == right
