"""The workflows, ours and those that users copy: pinned, without needless rights, and doing what they say."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import yaml

from gitops_bot.actions.inputs import read_inputs

ROOT = Path(__file__).parent.parent
OURS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
EXAMPLES = sorted([*(ROOT / "examples" / "workflows").glob("*.yml"), *ROOT.glob("examples/*/.github/workflows/*.yml")])
EVERY = [*OURS, *EXAMPLES]
ACTION = ROOT / "action.yml"

named = pytest.mark.parametrize("path", EVERY, ids=lambda path: str(path.relative_to(ROOT)))


def read(path):
    """A workflow; `on` is a boolean to YAML 1.1, and its own word here."""
    workflow = yaml.safe_load(path.read_text())
    workflow["on"] = workflow.pop(True)
    return workflow


def jobs(path):
    return read(path)["jobs"].values()


def steps(path):
    return [step for job in jobs(path) for step in job.get("steps", [])]


def script(path, name):
    """What the step of this name runs."""
    return next(step["run"] for step in steps(path) if step.get("name") == name)


def test_there_is_one_of_each():
    assert {path.name for path in OURS} == {"ci.yml", "dogfood.yml", "release.yml"}
    assert {path.name for path in EXAMPLES} >= {
        "diff.yml", "diff-push.yml", "diff-merge-queue.yml", "diff-private-sources.yml", "diff-enterprise.yml",
        "diff-fork-stage-1.yml", "diff-fork-stage-2.yml", "comment-commands.yml", "promote.yml", "rollback.yml",
        "bump.yml", "bump-mlflow.yml",
    }  # fmt: skip


@named
def test_a_workflow_starts_without_rights_and_asks_for_them_job_by_job(path):
    workflow = read(path)
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        assert isinstance(job.get("permissions"), dict), name
        assert job["permissions"], name


@named
def test_a_job_ends(path):
    for name, job in read(path)["jobs"].items():
        assert "uses" in job or 0 < job["timeout-minutes"] <= 60, name


@named
def test_newer_runs_and_older_ones_know_of_each_other(path):
    concurrency = read(path)["concurrency"]
    assert concurrency["group"]
    assert "cancel-in-progress" in concurrency


@named
def test_every_action_is_named_by_commit_with_its_version_beside_it(path):
    for line in path.read_text().splitlines():
        found = re.search(r"\buses: (\S+)(.*)", line)
        if found and not found[1].startswith(("./", "gitops-bot/gitops-bot@v")):
            assert re.fullmatch(r"[\w-]+/[\w./-]+@[0-9a-f]{40}", found[1]), line
            assert re.fullmatch(r" # v\d+\.\d+\.\d+(-node20)?", found[2]), line


def test_one_action_has_one_commit_everywhere():
    seen: dict[str, set[str]] = {}
    for path in EVERY:
        if path.name == "diff-enterprise.yml":  # its upload-artifact is an older one, see below
            continue
        for name, commit in re.findall(r"uses: ([\w./-]+)@([0-9a-f]{40})", path.read_text()):
            seen.setdefault(name, set()).add(commit)
    several = {name for name, commits in seen.items() if len(commits) > 1}
    assert several <= {"docker/build-push-action"}  # the example's own build may lag behind


@named
def test_a_checkout_leaves_no_token_behind(path):
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@named
def test_nothing_from_outside_is_pasted_into_a_script(path):
    for step in steps(path):
        assert "${{" not in step.get("run", "")


@named
def test_only_stage_two_and_comments_have_a_dangerous_trigger_and_they_check_nothing_out(path):
    dangerous = {"pull_request_target", "workflow_run", "issue_comment"} & set(read(path)["on"])
    assert bool(dangerous) == (path.name in ("diff-fork-stage-2.yml", "comment-commands.yml"))
    if dangerous:
        assert not [step for step in steps(path) if "checkout" in step.get("uses", "") or "run" in step]


@named
def test_the_action_is_asked_for_what_it_can(path):
    if not ACTION.exists():
        pytest.fail("action.yml is missing")
    known = set(yaml.safe_load(ACTION.read_text())["inputs"])
    for step in steps(path):
        if step.get("uses", "").startswith("gitops-bot/gitops-bot@") or step.get("uses") == "./":
            assert set(step.get("with", {})) <= known, step


@named
def test_what_the_action_is_given_goes_together(path):
    """Expressions are what they are where nothing is set: a secret that a fork does not get, an input left empty."""
    asked = (read(path)["on"].get("workflow_dispatch") or {}).get("inputs", {})

    def value_of(expression):
        name = re.fullmatch(r"\$\{\{ inputs\.(\w+) \}\}", expression[0])
        if name is None:
            return '""' if "toJSON" in expression[0] else ""
        about = asked[name[1]]
        first = about.get("options", ["x" if about.get("required") else ""])[0]
        return yaml_text(about.get("default", first))

    for step in steps(path):
        if step.get("uses", "").startswith("gitops-bot/gitops-bot@") or step.get("uses") == "./":
            given = {"token": "x"} | {key: yaml_text(value) for key, value in step.get("with", {}).items()}
            found = {key: re.sub(r"\$\{\{.*?\}\}", value_of, value) for key, value in given.items()}
            assert read_inputs({f"INPUT_{key.upper()}": value for key, value in found.items()})


def yaml_text(value):
    """A value of a workflow as the runner hands it on."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def cached():
    """Every step of the examples that keeps our cache, with the workflow it is in."""
    return [
        (path, step)
        for path in EXAMPLES
        for step in steps(path)
        if step.get("uses", "").startswith("actions/cache") and "gitops-bot" in step["with"]["key"]
    ]


def test_a_fork_keeps_its_cache_to_itself():
    of_pulls = [(path, step) for path, step in cached() if "pull_request" in read(path)["on"]]
    assert len(of_pulls) == 3
    for path, step in of_pulls:
        for key in (step["with"]["key"], step["with"]["restore-keys"]):
            assert "head.repo.fork && format('fork-{0}', github.event.pull_request.number) || 'own'" in key, path
    for stage in ("diff-fork-stage-1.yml", "diff-fork-stage-2.yml"):
        assert "actions/cache" not in (ROOT / "examples" / "workflows" / stage).read_text()


def test_what_a_push_keeps_is_what_pull_requests_look_for():
    """The same prefix, once the expression of a pull request of our own is what it is."""
    found = {path.name: step["with"] for path, step in cached()}
    shared = re.sub(r"\$\{\{ github\.event\.pull_request.*?\}\}", "own", found["diff.yml"]["restore-keys"])
    for name in ("diff-push.yml", "diff-merge-queue.yml"):
        assert found[name]["restore-keys"] == shared == "gitops-bot-own-"
        assert found[name]["key"].startswith(shared)
        assert found[name]["path"] == found["diff.yml"]["path"]


def test_a_changed_base_is_looked_at_again():
    """`edited` beside what is the default; a run for any of them judges, so that none is green without having looked."""
    for path in sorted((ROOT / "examples" / "workflows").glob("*.yml")):
        events = read(path)["on"]
        if "pull_request" in events:
            assert events["pull_request"]["types"] == ["opened", "synchronize", "reopened", "edited"], path


def test_the_stages_and_the_plain_workflow_can_share_the_pull_requests():
    """The `if:` that stands in diff.yml as a comment takes exactly what stage 1 does not."""
    text = (ROOT / "examples" / "workflows" / "diff.yml").read_text()
    (plain,) = re.findall(r"^ +# if: (.+)$", text, re.MULTILINE)
    stage = read(ROOT / "examples" / "workflows" / "diff-fork-stage-1.yml")["jobs"]["render"]["if"]
    turned = {"==": "!=", "!=": "==", "&&": "||"}
    assert re.sub(r"==|!=|&&", lambda found: turned[found[0]], plain) == " ".join(stage.split())


def test_comments_are_answered_for_commands_alone_and_one_after_the_other():
    """Every comment of everybody starts the workflow; the job, with its rights, only what looks like a command."""
    workflow = read(ROOT / "examples" / "workflows" / "comment-commands.yml")
    assert workflow["on"] == {"issue_comment": {"types": ["created"]}}
    ((_, job),) = workflow["jobs"].items()
    assert "github.event.issue.pull_request" in job["if"]
    assert "startsWith(github.event.comment.body, '/gitops ')" in job["if"]
    (step,) = job["steps"]
    assert "with" not in step  # what is done stands in the comment, and nothing of it in the workflow
    assert workflow["concurrency"]["cancel-in-progress"] is False


def test_the_example_s_promotion_is_tagged_only_after_the_merge_of_its_own_pull_request():
    jobs_of = read(ROOT / "examples" / "churn-mlops" / ".github" / "workflows" / "promote.yml")["jobs"]
    tag = jobs_of["tag"]["if"]
    assert "github.event.pull_request.merged" in tag
    assert "github.event.pull_request.head.repo.full_name == github.repository" in tag
    assert "github.head_ref == 'gitops-bot/promote--production'" in tag
    (step,) = [each for each in jobs_of["tag"]["steps"] if "gitops-bot" in each["uses"]]
    assert step["with"] == {"command": "promote", "to": "production", "after_merge": True}


def test_a_queue_reports_the_check_of_pull_requests():
    queue, plain = (
        read(ROOT / "examples" / "workflows" / name)["jobs"] for name in ("diff-merge-queue.yml", "diff.yml")
    )
    assert set(queue) == set(plain)


def test_private_sources_read_as_the_workflow_writes_them():
    """With secrets of any kind in place of the expressions, and without any, as in a fork's run."""
    from gitops_bot.actions.fetch_credentials import read as logins

    (step,) = [
        step for step in steps(ROOT / "examples" / "workflows" / "diff-private-sources.yml") if step.get("id") == "diff"
    ]
    written = step["with"]["fetch_credentials"]
    expression = r"\$\{\{ toJSON\(secrets\.\w+\) \}\}"
    assert len(re.findall(expression, written)) == 3
    secret = 'it\'s: "#1" - {x} \\'
    found, problems = logins(re.sub(expression, lambda _: json.dumps(secret), written))
    assert (problems, found.unset) == ((), ())
    assert len(found.entries) == 3
    assert found.header("https://registry.example.org/platform/charts/x")
    nothing, problems = logins(re.sub(expression, "null", written))
    assert (problems, nothing.entries, len(nothing.unset)) == ((), (), 3)


def test_an_enterprise_server_s_step_finds_the_bundle_where_it_was_put():
    path = ROOT / "examples" / "workflows" / "diff-enterprise.yml"
    (step,) = [step for step in steps(path) if step.get("id") == "diff"]
    place = step["env"]["SSL_CERT_FILE"]
    assert place.replace("/github/home", "$RUNNER_TEMP/_github_home") in script(
        path, "Let the container trust what this machine trusts"
    )
    (upload,) = re.findall(r"actions/upload-artifact@\S+ # v(\d+)", path.read_text())
    assert upload == "3"


def test_the_stages_know_each_other():
    first, second = (read(ROOT / "examples" / "workflows" / f"diff-fork-stage-{n}.yml") for n in (1, 2))
    assert second["on"]["workflow_run"]["workflows"] == [first["name"]]
    (upload,) = [step for step in first["jobs"]["render"]["steps"] if "upload-artifact" in step.get("uses", "")]
    download, post = second["jobs"]["comment"]["steps"]
    assert upload["with"]["name"] == download["with"]["name"]
    assert post["with"]["report_file"] == f"{download['with']['path']}/{Path(upload['with']['path']).name}"
    assert first["jobs"]["render"]["permissions"] == {"contents": "read"}
    assert "contents" not in second["jobs"]["comment"]["permissions"]


def test_stage_one_renders_without_network_and_no_step_of_ours_has_a_token():
    path = ROOT / "examples" / "workflows" / "diff-fork-stage-1.yml"
    text = path.read_text()
    assert "github.token" not in text
    assert "secrets." not in text
    assert "--network none" in script(path, "Render and compare")
    assert "--offline" in script(path, "Render and compare")


def test_what_the_documents_show_of_workflows_is_in_the_examples():
    """A fenced block of YAML with `uses:` in it stands, lines in a row, in an example that `make check` has judged."""
    whole = [_unindented(path.read_text()) for path in EXAMPLES]
    for document in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for block in re.findall(r"^```ya?ml\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL):
            if "uses:" in block:
                shown = _unindented(block)
                assert any(shown in text for text in whole), f"{document.relative_to(ROOT)} shows:\n{block}"


def _unindented(text):
    """Lines without what they are indented by and without empty ones: a part is found wherever it stands."""
    return "\n".join(line.strip() for line in textwrap.dedent(text).splitlines() if line.strip())


# -- what the scripts do ----------------------------------------------------------------------------------------------


def bash(text, where, **environ):
    """Run a step's script as the runner does; its outputs, by name."""
    output = where / ".." / "output"
    output.touch()
    ended = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text],
        cwd=where, env={**os.environ, "GITHUB_WORKSPACE": str(where), "GITHUB_OUTPUT": str(output), **environ},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return dict(line.split("=", 1) for line in output.read_text().splitlines())


def test_dogfood_makes_a_repository_that_the_program_understands(repository, helm):
    """The folder becomes a repository; its change is shown as its own team would see it."""
    example = ROOT / "examples" / "churn-mlops"
    checkout = repository({"README.md": "ours\n"})
    made_by_tools = shutil.ignore_patterns("__pycache__", ".*_cache", ".venv", "*.egg-info")
    shutil.copytree(example, checkout.path / "examples" / "churn-mlops", ignore=made_by_tools)
    checkout.commit({}, "the example")
    checkout.git("switch", "--quiet", "--create", "change")
    values = "examples/churn-mlops/k8s/helm/churn-mlops/values-staging.yaml"
    checkout.commit({values: (checkout.path / values).read_text().replace("replicaCount: 2", "replicaCount: 3")})
    checkout.git("switch", "--quiet", "main")
    checkout.commit({"README.md": "ours, and newer\n"}, "meanwhile")
    checkout.git("merge", "--quiet", "--no-ff", "--message", "merge", "change")

    dogfood = ROOT / ".github" / "workflows" / "dogfood.yml"
    made = bash(script(dogfood, "Make the example a repository"), checkout.path, EXAMPLE="examples/churn-mlops")
    ended = subprocess.run(
        [sys.executable, "-m", "gitops_bot", "diff", "--repo", str(checkout.path / "dogfood"), "--offline",
         "--no-cache", "--base", made["base"], "--head", made["head"], "--format", "json"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    (change,) = json.loads(ended.stdout)["changes"]
    assert (change["action"], change["kind"], change["name"]) == ("changed", "Deployment", "churn-api")


@pytest.fixture
def release(tmp_path):
    """The release's own script, on a copy of what it reads, made ready for 1.2.3."""
    sys.path.insert(0, str(ROOT / ".github"))
    import release as module  # it stands beside the workflow that runs it

    sys.path.remove(str(ROOT / ".github"))
    (tmp_path / "gitops_bot").mkdir()
    (tmp_path / "gitops_bot" / "__init__.py").write_text('"""…"""\n\n__version__ = "1.2.3"\n')
    (tmp_path / "Dockerfile").write_text(
        re.sub(r'(image\.version=)"[^"]+"', r'\1"1.2.3"', (ROOT / "Dockerfile").read_text())
    )
    (tmp_path / "action.yml").write_text(ACTION.read_text())
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\n## Unreleased\n\n- x\n\n## 1.2.3 (2026-03-02)\n\n- this\n- and that\n\n## 1.2.2\n\n- old\n"
    )
    return module


def test_a_release_checks_that_all_say_one_version(release, tmp_path):
    assert release.check("1.2.3", tmp_path) == []
    assert release.notes("1.2.3", tmp_path) == "- this\n- and that"
    assert len(release.check("1.2.4", tmp_path)) == 3
    assert release.check("01.2.3", tmp_path)[0] == "'01.2.3' is no version X.Y.Z"
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    assert release.check("1.2.3", tmp_path) == ["the image's label says nothing, not 1.2.3"]


def test_a_release_changes_one_line_of_the_action(release, tmp_path):
    image = f"ghcr.io/gitops-bot/gitops-bot@sha256:{'0f' * 32}"
    before = ACTION.read_text()
    after = release.pinned(before, image)
    ((was, now),) = [(a, b) for a, b in zip(before.splitlines(), after.splitlines(), strict=True) if a != b]
    assert was.startswith("  image: Dockerfile")
    assert now == f"  image: docker://{image}"
    for wrong in (image.replace("@sha256:", ":"), image[:-1], f"{image}\n  entrypoint: sh"):
        with pytest.raises(ValueError, match="no image with a digest"):
            release.pinned(before, wrong)
    with pytest.raises(ValueError, match="exactly one line"):
        release.pinned(after, image)


def test_the_image_says_the_version_of_the_package():
    """As the release checks it; without Docker."""
    import gitops_bot

    label = re.search(r'image\.version="(.+?)"', (ROOT / "Dockerfile").read_text())
    assert label is not None
    assert label[1] == gitops_bot.__version__
