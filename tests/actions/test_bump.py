"""`command: bump`, the whole step as the runner runs it, against a GitHub that remembers and real git."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gitops_bot.actions.activity import (
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
from gitops_bot.actions.bump import calls_for_nothing, request_of
from gitops_bot.actions.environment import Runner
from gitops_bot.actions.event import activity
from gitops_bot.actions.inputs import Inputs
from gitops_bot.actions.outcome import headline, outputs_of, summary_of
from gitops_bot.actions.outputs import NOTHING, OUTPUTS
from gitops_bot.errors import UsageError
from gitops_bot.model.writeback import FileChange, Landed, Proposal
from gitops_bot.writeback.bumps.bump import Nothing
from gitops_bot.writeback.bumps.request import ImageRequest, ModelRequest, ValueRequest
from gitops_bot.writeback.outcome import Outcome
from tests.actions import payloads
from tests.actions.churn import Churn, checkout, churn
from tests.actions.here import Here
from tests.actions.runner import read_log
from tests.servers import gives

IMAGE = "ghcr.io/acme/churn-api"
STAGING = "k8s/helm/churn-mlops/values-staging.yaml"
TAG = {"command": "bump", "image": f"{IMAGE}:sha-abc1234", "environment": "staging"}
DIGEST = f"sha256:{'0a' * 32}"


class Acme:
    """The example on the fake, and a job of its workflow."""

    def __init__(self, github: Any, example: Churn, here: Here) -> None:
        self.github = github
        self.repository = example.repository
        self.example = example
        self.here = here

    def pushed(self, *messages: str, ref: str = "refs/heads/main", **more: Any) -> dict[str, Any]:
        """The event of a push to a branch as it is now."""
        after = self.repository.head()
        commits = [{"id": after, "message": message} for message in messages or ("feat: more careful",)]
        event = payloads.push(ref, after=after)
        return {**event, "commits": commits, "head_commit": commits[-1], **more}

    def step(self, inputs: dict[str, str], event_name: str = "push", event: Any = None, **more: Any) -> Any:
        given = {"token": self.github.tokens.actions.value, "env": {"GITHUB_SHA": self.repository.head()}, **more}
        return self.here.step(inputs, event_name=event_name, event=event or self.pushed(), **given)

    def read(self, path: str = STAGING, revision: str = "main") -> str:
        return str(self.repository.git.run("show", f"{revision}:{path}"))

    def message(self, revision: str = "main") -> str:
        return str(self.repository.git.run("log", "-1", "--format=%B", revision))

    def pulls(self) -> list[Any]:
        return [pull for pull in self.repository.pulls.values() if pull.number != self.example.pull.number]


@pytest.fixture
def acme(github, tmp_path, helm) -> Acme:
    example = churn(github)
    here = Here(tmp_path / "runner", repository=example.repository.full_name, server_url=github.server_url,
                api_url=github.url)  # fmt: skip
    checkout(example.repository, here.workspace, "refs/heads/main")
    return Acme(github, example, here)


# -- the whole step ----------------------------------------------------------------------------------------------------


def test_the_build_writes_its_tag_into_git_once(acme, github):
    before = acme.read()
    step = acme.step({**TAG, "digest": DIGEST})
    assert step.code == 0, step.stdout + step.stderr
    after = acme.read()
    assert "tag: sha-abc1234" in after
    assert DIGEST in after
    assert [a for a, b in zip(before.split("\n"), after.split("\n"), strict=True) if a != b] != []
    head = acme.repository.head()
    assert step.outputs == {
        **NOTHING, "changed": "true", "mode": "api", "branch": "main", "commit_sha": head, "changed_files": STAGING,
    }  # fmt: skip
    message = acme.message()
    assert message.startswith("chore: update image tag\n")
    assert f"Gitops-Bot-Run: 4711 {github.server_url}/{acme.repository.full_name}/actions/runs/4711" in message
    assert "sha-4be81c0" in step.summary and "sha-abc1234" in step.summary
    assert "committed" in step.summary.splitlines()[0]
    assert step.stderr == ""
    notices = [each.data for each in read_log(step.stdout).commands if each.name == "notice"]
    assert any("starts no workflows" in each for each in notices)
    writes = len(github.writes())
    again = acme.step({**TAG, "digest": DIGEST})
    assert again.code == 0, again.stdout
    assert again.outputs == {**NOTHING, "mode": "nothing"}
    assert "nothing to commit" in again.stdout and "nothing to commit" in again.summary
    assert (acme.repository.head(), len(github.writes())) == (head, writes)


def test_a_branch_that_takes_no_commits_gets_a_pull_request(acme):
    acme.repository.protect("main")
    step = acme.step(TAG)
    assert step.code == 0, step.stdout
    (pull,) = acme.pulls()
    assert step.outputs["mode"] == "pull-request"
    assert step.outputs["branch"] == "main"
    assert step.outputs["pull_request_number"] == str(pull.number)
    assert step.outputs["pull_request_url"].endswith(f"/pull/{pull.number}")
    assert step.outputs["commit_sha"] == acme.repository.head(pull.head_ref)
    assert f"[Pull request]({step.outputs['pull_request_url']})" in step.summary
    newer = acme.step({**TAG, "image": f"{IMAGE}:sha-def5678"})
    assert newer.outputs["pull_request_number"] == str(pull.number)
    assert "`sha-4be81c0`" in newer.summary, "the summary tells of the branch, not of what was proposed before"
    assert "`sha-def5678`" in newer.summary


def test_a_dry_run_shows_the_change_and_writes_nothing(acme, github):
    step = acme.step({**TAG, "dry_run": "true"})
    assert step.code == 0, step.stdout
    assert github.writes() == []
    assert step.outputs == {
        **NOTHING, "changed": "true", "mode": "dry-run", "branch": "main", "changed_files": STAGING,
    }  # fmt: skip
    assert "+  tag: sha-abc1234" in step.summary
    assert "+  tag: sha-abc1234" in step.stdout


def test_without_a_checkout_it_works_too(github, tmp_path, helm):
    example = churn(github)
    here = Here(tmp_path / "runner", repository=example.repository.full_name, server_url=github.server_url,
                api_url=github.url)  # fmt: skip
    acme = Acme(github, example, here)
    step = acme.step(TAG)
    assert step.code == 0, step.stdout
    assert "tag: sha-abc1234" in acme.read()


def test_a_build_of_another_repository_bumps_this_one(acme, github, tmp_path):
    code = github.repository("acme/code")
    here = Here(tmp_path / "code", repository=code.full_name, server_url=github.server_url, api_url=github.url)
    checkout(code, here.workspace, "refs/heads/main")
    event = {**payloads.push("refs/heads/main", after=code.head()), "commits": [{"message": "feat: x"}]}
    step = here.step({**TAG, "repository": acme.repository.full_name}, event_name="push", event=event,
                     token=github.tokens.actions.value)  # fmt: skip
    assert step.code == 0, step.stdout
    assert "tag: sha-abc1234" in acme.read()
    assert f"Gitops-Bot-Source: acme/code {code.head()}" in acme.message()


def test_single_values_and_several_at_once(acme):
    step = acme.step(
        {"command": "bump", "file": STAGING, "path": "model.version\nimage.tag", "value": "v1.2.9\nsha-abc1234"}
    )
    assert step.code == 0, step.stdout
    assert "v1.2.9" in acme.read()
    assert "tag: sha-abc1234" in acme.read()


def test_a_model_goes_in_whole_with_its_metrics(acme):
    (acme.here.workspace / "metrics.json").write_text('{"new": {"auc": 0.91}, "old": {"auc": 0.87}}')
    step = acme.step({"command": "bump", "model": "churn-model", "model_version": "v1.2.4",
                      "model_path": "s3://models/churn/v1.2.4/", "data_version": f"sha256:{'ab' * 32}",
                      "metrics": "metrics.json", "run_url": "https://wandb.example/runs/1",
                      "environment": "staging"})  # fmt: skip
    assert step.code == 0, step.stdout
    assert "s3://models/churn/v1.2.4/" in acme.read()
    assert acme.message().startswith("chore: deploy model v1.2.4\n")
    assert "auc" in step.summary and "0.87" in step.summary and "0.91" in step.summary


HOURLY = {"event_name": "schedule", "event": {"schedule": "17 * * * *"}}
SCHEMA = "k8s/helm/churn-mlops/values.schema.json"


@pytest.fixture
def registry(acme) -> Acme:
    """The example of a team whose models have the numbers of a registry: now it is the first."""
    schema, values = acme.read(SCHEMA), acme.read()
    numbers = {SCHEMA: schema.replace("^v[0-9]+\\\\.[0-9]+\\\\.[0-9]+$", "^[0-9]+$")}
    for path in (STAGING, STAGING.replace("-staging", "-development"), STAGING.replace("-staging", "-production"),
                 STAGING.replace("-staging", "")):  # fmt: skip
        numbers[path] = acme.read(path).replace("version: v1.2.3", 'version: "1"') + "\n"
    assert numbers[SCHEMA] != schema and numbers[STAGING] != values
    acme.repository.commit(numbers, "main")
    return acme


@pytest.mark.mlflow
def test_an_alias_of_a_real_registry_is_written_as_what_it_means_and_once(registry, github, tracking):
    acme = registry
    experiment = tracking.post("experiments/create", name="churn")["experiment_id"]
    run = tracking.run(experiment, 0.91, data="6f1ed002")
    tracking.post("registered-models/create", name="churn-model")
    source = "s3://models/churn/2/"
    for path in ("s3://models/churn/1/", source):
        tracking.post("model-versions/create", name="churn-model", source=path, run_id=run["run_id"])
    tracking.post("registered-models/alias", name="churn-model", alias="champion", version="2")
    given = {"command": "bump", "model": "churn-model", "from_mlflow": tracking.url, "alias": "champion",
             "environment": "staging"}  # fmt: skip
    step = acme.step(given, **HOURLY)
    assert step.code == 0, step.stdout
    values = acme.read()
    assert 'version: "2"' in values and source in values and "6f1ed002" in values and "champion" not in values
    assert acme.message().startswith("chore: deploy model 2\n")
    assert "0.91" in step.summary and run["run_id"] in step.summary
    head, writes = acme.repository.head(), len(github.writes())
    again = acme.step(given, **HOURLY)
    assert (again.code, again.outputs["mode"]) == (0, "nothing"), again.stdout
    assert (acme.repository.head(), len(github.writes())) == (head, writes)


def test_a_registry_gets_the_login_that_is_bound_to_it_and_no_other(registry, server):
    version = {"name": "churn-model", "version": "2", "source": "s3://models/churn/2/",
               "tags": [{"key": "data_version", "value": DIGEST}]}  # fmt: skip
    answers = {"registered-models/alias": {"model_version": version}, "model-versions/get-download-uri": {}}
    for path, answer in answers.items():
        server.routes[f"/api/2.0/mlflow/{path}"] = gives(json.dumps(answer).encode())
    given = {"command": "bump", "model": "churn-model", "from_mlflow": server.url, "alias": "champion",
             "environment": "staging"}  # fmt: skip
    logins = [{"url": server.url, "token": "of-the-registry"}, {"url": "https://elsewhere.example", "token": "other"}]
    step = registry.step({**given, "fetch_credentials": json.dumps(logins)}, **HOURLY)
    assert step.code == 0, step.stdout
    assert {each.headers.get("authorization") for each in server.seen} == {"Bearer of-the-registry"}
    shown = "\n".join(line for line in step.stdout.split("\n") if not line.startswith("::add-mask::"))
    assert "of-the-registry" not in shown + step.summary


def test_a_registry_that_knows_no_such_alias_fails_the_step_and_writes_nothing(acme, github, server):
    server.routes["/"] = gives(b'{"error_code": "RESOURCE_DOES_NOT_EXIST"}', 404)
    step = acme.step({"command": "bump", "model": "churn-model", "from_mlflow": server.url, "alias": "champion"},
                     **HOURLY)  # fmt: skip
    assert step.code == 3, step.stdout
    assert "knows no model" in step.stdout and "knows no model" in step.summary
    assert github.writes() == []


@pytest.mark.parametrize(
    ("inputs", "code", "said"),
    [
        ({"environment": "nowhere"}, 2, "nowhere is no environment"),
        ({"environment": "production", "image": f"{IMAGE}:latest"}, 8, "production is protected"),
        ({"image": f"{IMAGE}:a b"}, 2, "no tag"),
        ({"image": ""}, 2, "nothing is asked for"),
        ({"branch": "nobody"}, 2, "there is no branch nobody"),
        ({"file": "nobody.yaml", "path": "a", "value": "1", "image": ""}, 8, "nobody.yaml"),
        ({"metrics": "nobody.json", "model": "churn-model", "model_version": "2"}, 2, "cannot be read"),
        ({"mode": "pull"}, 2, "mode"),
    ],
)  # fmt: skip
def test_what_is_refused_ends_with_its_code_and_writes_nothing(acme, github, inputs, code, said):
    step = acme.step({**TAG, **inputs})
    (error,) = [each.data for each in read_log(step.stdout).commands if each.name == "error"]
    assert said in error
    assert step.code == code, error
    assert step.outputs == {}
    assert github.writes() == []
    if code == 8:
        assert "gitops-bot failed: " in step.summary


def test_a_token_that_may_not_write_is_told_with_the_remedy(acme, github):
    step = acme.step(TAG, token=github.tokens.read_only.value)
    assert step.code == 6
    (error,) = [each.data for each in read_log(step.stdout).commands if each.name == "error"]
    assert "contents: write" in error


# -- what a build is not ----------------------------------------------------------------------------------------------


def test_fifty_events_of_our_own_commits_make_no_other(acme, github):
    acme.step(TAG)
    writes, head = len(github.writes()), acme.repository.head()
    ours = acme.message()
    event = acme.pushed(ours)
    asked = len(github.api_requests())
    for number in range(3):
        step = acme.step({**TAG, "image": f"{IMAGE}:sha-{number:07d}"}, event=event)
        assert step.code == 0, step.stdout
        assert step.outputs == NOTHING
        assert "gitops-bot itself" in step.stdout and "gitops-bot itself" in step.summary
    for _ in range(50):
        found = activity("push", event, "refs/heads/main")
        assert calls_for_nothing(found)
    assert (len(github.writes()), acme.repository.head()) == (writes, head)
    assert len(github.api_requests()) == asked


OURS = "chore: update image tag\n\nx\n\nGitops-Bot-Bump: image a old=1 new=2\nGitops-Bot-Topic: bump/staging/a"
MERGE = "Merge pull request #5 from acme/gitops-bot/bump--staging--a\n\nchore: update image tag"


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([OURS], True),
        ([OURS, OURS], True),
        ([OURS, MERGE], True),
        (["Merge branch 'gitops-bot/bump--staging--a'"], True),
        ([OURS, "feat: x"], False),
        (["feat: x", OURS], False),
        ([OURS, "Merge pull request #6 from acme/feature"], False),
        (["feat: Gitops-Bot-Topic: x"], False),
        ([], False),
    ],
)  # fmt: skip
def test_a_push_is_ours_when_all_of_it_is(messages, expected):
    event = {**payloads.push("refs/heads/main"), "commits": [{"message": each} for each in messages]}
    found = activity("push", event, "")
    assert isinstance(found, BranchPushed)
    assert found.ours is expected
    assert (calls_for_nothing(found) is not None) is expected


@pytest.mark.parametrize("commits", [None, "x", [None], [{}], [{"message": None}], [{"message": 3}], {"message": OURS}])
def test_a_list_of_commits_of_another_form_is_not_ours(commits):
    found = activity("push", {**payloads.push("refs/heads/main"), "commits": commits}, "")
    assert isinstance(found, BranchPushed) and not found.ours


def pushed(**more: Any) -> BranchPushed:
    given = {"branch": "main", "before": "a" * 40, "after": "b" * 40, "created": False,
             "deleted": False, "forced": False, "by_bot": False}  # fmt: skip
    return BranchPushed(**(given | more))


def finished(**more: Any) -> WorkflowFinished:
    given = {"run_id": 7, "event": "push", "conclusion": "success", "head_sha": "d" * 40, "head_branch": "main",
             "head_repository": "octo/shop", "fork": False, "pulls": ()}  # fmt: skip
    return WorkflowFinished(**(given | more))


def pull(**more: Any) -> PullRequestChanged:
    given = {"number": 7, "base_sha": "a" * 40, "base_ref": "main", "head_sha": "c" * 40, "head_ref": "x",
             "head_repository": "octo/shop", "fork": False, "read_only": False, "action": "opened"}  # fmt: skip
    return PullRequestChanged(**(given | more))


@pytest.mark.parametrize(
    ("event", "part"),
    [
        (pushed(), None),
        (pushed(by_bot=True), None),
        (pushed(deleted=True), "deleted"),
        (pushed(ours=True), "itself"),
        (TagPushed(tag="v1", sha="a" * 40, deleted=False), None),
        (TagPushed(tag="v1", sha="", deleted=True), "deleted"),
        (finished(), None),
        (finished(ours=True), "itself"),
        (finished(fork=True), "fork"),
        (finished(conclusion="failure"), "ended with failure"),
        (finished(conclusion=""), "no conclusion"),
        (pull(), None),
        (pull(fork=True, read_only=True), "fork"),
        (pull(fork=True, target_event=True), "fork"),
        (QueuedForMerge(base_sha="a" * 40, head_sha="b" * 40, base_ref="main", head_ref="q"), "merge group"),
        (CommentMade(number=1, comment_id=1, author="ada", association="OWNER", body="x",
                     created_at="2024-05-01T12:00:00Z", on_pull=True), "comments"),
        (Scheduled(cron="0 0 * * *"), None),
        (WorkflowDispatched(inputs={}, ref="refs/heads/main"), None),
        (RepositoryDispatched(type="x", payload={}), None),
        (Ignored(reason="nothing is done on the event release"), None),
    ],
)  # fmt: skip
def test_which_events_make_no_commit(event, part):
    found = calls_for_nothing(event)
    assert (found is None) if part is None else (found is not None and part in found)


# -- payloads ----------------------------------------------------------------------------------------------------------


def test_a_payload_of_weights_and_biases_is_taken_as_it_is(acme):
    halved = acme.step({"command": "bump", "environment": "staging"}, "repository_dispatch",
                       payloads.repository_dispatch())  # fmt: skip
    assert halved.code == 8
    assert "data version of churn-model is missing" in halved.summary
    more = {"model_version": "v1.3.0", "data_version": f"sha256:{'cd' * 32}"}
    event = payloads.repository_dispatch({**payloads.MODEL_ADDED, **more})
    step = acme.step({"command": "bump", "environment": "staging"}, "repository_dispatch", event)
    assert step.code == 0, step.stdout
    assert "version: v1.3.0" in acme.read()
    assert "wandb-artifact://acme/model-registry/churn-model:v12" in acme.read()
    assert step.outputs["mode"] == "api"
    writes = len(acme.github.writes())
    again = acme.step({"command": "bump", "environment": "staging"}, "repository_dispatch", event)
    assert again.outputs["mode"] == "nothing"
    assert len(acme.github.writes()) == writes


def test_a_payload_of_our_own_form_names_the_environment_itself(acme):
    payload = {"images": [f"{IMAGE}:sha-abc1234"], "environment": "staging"}
    step = acme.step({"command": "bump"}, "repository_dispatch", payloads.repository_dispatch(payload))
    assert step.code == 0, step.stdout
    assert "tag: sha-abc1234" in acme.read()


@pytest.mark.parametrize("payload", [{}, None, {"images": ["$(rm -rf /):x"]}, {"images": [], "x": 1}, {"models": "x"}])
def test_a_payload_that_asks_for_nothing_known_is_refused(acme, payload):
    step = acme.step({"command": "bump"}, "repository_dispatch", payloads.repository_dispatch(payload))
    assert step.code == 2, step.stdout
    assert acme.github.writes() == []


def test_a_payload_may_not_write_what_the_workflow_does_not_allow(acme):
    payload = {"images": [f"{IMAGE}:sha-abc1234"], "environment": "staging", "allow_downgrade": True}
    step = acme.step({"command": "bump"}, "repository_dispatch", payloads.repository_dispatch(payload))
    assert step.code == 2, step.stdout
    assert "allow_downgrade: only the command that reads this may say so" in step.stdout
    assert acme.github.writes() == []


RUNNER = Runner(workspace="/nonexistent", event_name="push", event_path="", repository="octo/shop",
                server_url="https://github.com", api_url="https://api.github.com", sha="e" * 40, run_id=4711,
                actor="ada")  # fmt: skip


def no_registry(*asked: str) -> ModelRequest:
    pytest.fail(f"a registry is asked for {asked}")


def test_the_inputs_stand_above_a_payload():
    event = RepositoryDispatched(type="x", payload={"images": ["a:1"], "environment": "production"})
    asked = request_of(event, Inputs(command="bump", environment="staging", allow_downgrade=True), RUNNER, no_registry)
    assert (asked.environment, asked.allow_downgrade) == ("staging", True)
    assert asked.items == (ImageRequest(repository="a", tag="1"),)
    named = request_of(event, Inputs(command="bump", image=("b:2",)), RUNNER, no_registry)
    assert named.items == (ImageRequest(repository="b", tag="2"),)
    assert named.environment is None


@pytest.mark.parametrize(
    ("event", "commit", "run_url"),
    [
        (pushed(), "e" * 40, RUNNER.run_url),
        (pull(), "c" * 40, RUNNER.run_url),
        (finished(), "d" * 40, "https://github.com/octo/shop/actions/runs/7"),
        (Scheduled(cron="x"), "e" * 40, RUNNER.run_url),
    ],
)  # fmt: skip
def test_the_source_is_the_commit_that_was_built(event, commit, run_url):
    source = request_of(event, Inputs(command="bump", image=("a:1",)), RUNNER, no_registry).source
    assert (source.repository, source.commit, source.run_url) == ("octo/shop", commit, run_url)
    assert source.commit_url == f"https://github.com/octo/shop/commit/{commit}"
    assert (source.run, source.actor) == (int(run_url.rpartition("/")[2]), "ada")


TABLE = [
    ({"image": ("a:1", f"b/c:2@{DIGEST}")}, (ImageRequest(repository="a", tag="1"),
                                             ImageRequest(repository="b/c", tag="2", digest=DIGEST))),
    ({"image": ("a:1",), "digest": (DIGEST,)}, (ImageRequest(repository="a", tag="1", digest=DIGEST),)),
    ({"file": ("v.yaml",), "path": ("a", "b"), "value": ("1", "x")},
     (ValueRequest(file="v.yaml", path="a", value="1"), ValueRequest(file="v.yaml", path="b", value="x"))),
    ({"model": "m", "model_version": "3"}, (ModelRequest(name="m", version="3"),)),
]  # fmt: skip


REGISTERED = ModelRequest(name="m", version="7", path="s3://m/7/")


@pytest.mark.parametrize(
    ("more", "items"),
    [({}, (REGISTERED,)), ({"image": ("a:1",)}, (REGISTERED, ImageRequest(repository="a", tag="1")))],
)
def test_what_a_registry_says_goes_into_the_same_request(more, items):
    asked = []
    inputs = Inputs(command="bump", model="m", from_mlflow="https://mlflow.example", alias="champion", **more)
    found = request_of(pushed(), inputs, RUNNER, lambda *what: asked.append(what) or REGISTERED)
    assert (found.items, asked) == (items, [("https://mlflow.example", "m", "champion")])


@pytest.mark.parametrize(("inputs", "items"), TABLE)
def test_inputs_become_a_request(inputs, items):
    assert request_of(pushed(), Inputs(command="bump", **inputs), RUNNER, no_registry).items == items


def test_a_file_of_metrics_has_numbers_and_an_end(tmp_path):
    runner = Runner(workspace=str(tmp_path), event_name="push", event_path="", repository="o/r",
                    server_url="https://github.com", api_url="https://api.github.com")  # fmt: skip
    given = {"command": "bump", "model": "m", "model_version": "3", "metrics": "m.json"}
    (tmp_path / "m.json").write_text('{"auc": 0.9, "note": "x"}')
    (item,) = request_of(pushed(), Inputs(**given), runner, no_registry).items
    assert isinstance(item, ModelRequest) and item.metrics == {"auc": 0.9}
    for wrong, said in (("", "no number"), ("{", "not JSON"), (" " * 1_000_001, "larger")):
        (tmp_path / "m.json").write_text(wrong)
        with pytest.raises(UsageError, match=said):
            request_of(pushed(), Inputs(**given), runner, no_registry)
    (tmp_path / "m.json").unlink()
    (tmp_path / "m.json").symlink_to("/etc/hostname")
    with pytest.raises(UsageError, match="leads out"):
        request_of(pushed(), Inputs(**given), runner, no_registry)


# -- what is told ------------------------------------------------------------------------------------------------------

PROPOSAL = Proposal(files=(FileChange(path="a.yaml", content=b"x"), FileChange(path="b.yaml", content=b"y")),
                    subject="chore: update image tag", body="| what | old |\n|---|---|\n| a | b |\n", message="a: 1 -> 2",
                    topic="bump/staging/a")  # fmt: skip


def outcome(**more: Any) -> Outcome:
    return Outcome(**({"repository": "octo/shop", "branch": "main", "proposal": PROPOSAL} | more))


OUTCOMES = [
    (outcome(landed=Landed(mode="api", commit="a" * 40, url="https://github.com/octo/shop/commit/a")),
     "committed aaaaaaaa to main of octo/shop: chore: update image tag"),
    (outcome(landed=Landed(mode="pull-request", commit="a" * 40, pull=9, url="https://github.com/octo/shop/pull/9")),
     "pull request #9 proposes to main of octo/shop: chore: update image tag"),
    (outcome(diff="+x"), "dry run: chore: update image tag would go to main of octo/shop"),
    (outcome(proposal=None, nothing=Nothing(kind="older", reason="a is older", notes=("n",))), "nothing to commit: a is older"),
    (outcome(landed=Landed(mode="nothing", notes=("#4 was closed by somebody",))),
     "nothing to commit: #4 was closed by somebody"),
    (outcome(landed=Landed(mode="nothing"), proposal=None), "nothing to commit: main has it already"),
]  # fmt: skip


@pytest.mark.parametrize(("found", "line"), OUTCOMES)
def test_an_outcome_in_a_line_and_as_outputs(found, line):
    assert headline(found) == line
    outputs = outputs_of(found)
    assert set(outputs) == {each.name for each in OUTPUTS}
    assert (outputs["changed"] == "true") is (not line.startswith("nothing"))
    assert summary_of(found, 100_000).startswith("**")


def test_a_summary_keeps_its_room_and_says_what_is_missing():
    large = outcome(diff="\n".join(["+" + "x" * 100] * 500))
    text = summary_of(large, 20_000)
    assert len(text.encode()) <= 20_000
    assert "| a | b |" in text and "xxx" not in text and "not shown" in text


def test_foreign_text_in_a_summary_is_text():
    hostile = outcome(diff="+```\n+</details><script>", branch="a`<b>*", proposal=PROPOSAL)
    text = summary_of(hostile, 100_000)
    assert "<b>" not in text.split("````")[0]
    assert text.count("````") == 2
    assert json.dumps(outputs_of(hostile))
