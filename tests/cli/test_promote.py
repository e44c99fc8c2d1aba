"""`promote` from the command line to pull requests, checks and tags on the fake GitHub, with real git and renderers."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.cli.acme import API, PRODUCTION, STAGING, Acme, acme

__all__ = ["acme"]


def test_values_go_by_pull_request_and_then_by_tag(acme: Acme) -> None:
    acme.without_gates()
    before = acme.read()
    ran = acme("promote", "--to", "production")
    assert ran.code == 0, ran.err
    assert acme.read() == before
    (pull,) = acme.pulls()
    assert pull.title == "chore: promote staging to production (v1.0.1)"
    assert (pull.base_ref, pull.head_ref) == ("main", "gitops-bot/promote--production")
    assert "tag: sha-4be81c0" in acme.read(revision=pull.head_ref)
    assert "### Rendered diff" in pull.body
    assert "churn-mlops-production" in pull.body
    assert "Asked for by ada" in pull.body
    assert f"| `churn-mlops-production` | `{API}` | `sha-5b1c8ae` | `sha-4be81c0` |" in pull.body
    assert "plan" not in pull.body.lower()

    writes = len(acme.github.writes())
    again = acme("promote", "--to", "production")
    assert again.code == 0, again.err
    assert len(acme.github.writes()) == writes

    early = acme("promote", "--to", "production", "--after-merge")
    assert early.code == 0, early.err
    assert "nothing to promote: no pull request of gitops-bot for production was merged" in early.out
    merge = acme.merge(pull)
    tagged = acme("promote", "--to", "production", "--after-merge")
    assert tagged.code == 0, tagged.err
    assert "tagged v1.0.1" in tagged.out
    assert acme.tags()["v1.0.1"] == merge
    writes = len(acme.github.writes())
    for arguments in (["--after-merge"], []):
        again = acme("promote", "--to", "production", *arguments)
        assert again.code == 0, again.err
        assert "nothing to promote" in again.out
    assert len(acme.github.writes()) == writes


def test_gates_are_in_the_pull_request_and_one_check_and_hold_the_tag_back(acme: Acme) -> None:
    tip = acme.repository.head()
    ran = acme("promote", "--to", "production")
    assert ran.code == 0, ran.err
    (pull,) = acme.pulls()
    assert "| ⏳ waiting | `status ci` |" in pull.body
    assert "healthy" in ran.out

    def check() -> tuple[str, str | None]:
        runs = acme.api("GET", f"/commits/{pull.head_sha}/check-runs")["check_runs"]
        (one,) = [each for each in runs if each["name"] == "promotion/production"]
        return one["status"], one["conclusion"]

    assert check() == ("in_progress", None)
    acme.ci(tip)
    acme.agent(tip, "in_progress", "success")
    # A commit that changes nothing of staging does not have to be deployed anew.
    acme.settings(", soak: 30m", "")
    acme.ci(acme.repository.head())
    passed = acme("promote", "--to", "production")
    assert passed.code == 0, passed.err
    (pull,) = acme.pulls()
    assert "waiting" not in pull.body
    assert check() == ("completed", "success")

    acme.ci(acme.repository.head(), "failure")
    failed = acme("promote", "--to", "production")
    assert failed.code == 0, failed.err
    assert "failed  status ci" in failed.out
    (pull,) = acme.pulls()
    assert check() == ("completed", "failure")


@pytest.mark.parametrize(
    ("path", "message", "said"),
    [
        (STAGING, "chore: format", "waiting status ci: nothing was reported"),
        (
            "k8s/helm/churn-mlops/templates/generated.yaml",
            "chore: generate\n\nGitops-Bot-Topic: bump/staging/churn-api",
            "waiting status ci: nothing was reported",
        ),
        (STAGING, "chore: values\n\nGitops-Bot-Topic: bump/staging/churn-api", "passed  status ci: success"),
    ],
)
def test_what_another_workflow_commits_with_our_login_is_judged_as_anybodys(
    acme: Acme, path: str, message: str, said: str
) -> None:
    acme.ci(acme.repository.head())
    told = acme("promote", "--to", "production", "--dry-run")
    assert "passed  status ci: success" in told.out, told.out + told.err
    before = acme.read(path) if path == STAGING else ""
    acme.repository.commit({path: f"{before}# touched\n"}, "main", message, by="gitops-bot[bot]", signed=True)
    told = acme("promote", "--to", "production", "--dry-run")
    assert said in told.out, told.out + told.err


def test_what_will_be_tagged_must_have_succeeded_where_the_source_follows_tags(acme: Acme) -> None:
    acme.settings("  production: {tag", '  qa: {tag: "qa-*"}\n  production: {tag')
    acme.settings(
        "    from: staging\n    copy: [image.tag, image.digest, model.*]\n    gates: {statuses: [ci], healthy: true, soak: 30m}\n",
        "    from: qa\n    copy: [image.tag]\n    gates: {statuses: [ci]}\n",
    )
    acme.settings("promotion:\n", "promotion:\n  qa: {from: staging, copy: [image.tag], then: tag}\n")
    qa = STAGING.replace("staging", "qa")
    released = acme.repository.commit({qa: acme.read(STAGING)}, "main", "chore: qa")
    acme.repository.git.run("tag", "qa-1.0.0", released)
    acme.ci(released)
    tip = acme.repository.commit({"k8s/helm/churn-mlops/templates/new.yaml": "# not tested\n"}, "main", "feat: new")

    ran = acme("promote", "--to", "production")
    assert ran.code == 0, ran.err
    assert f"passed  status ci: success on {released[:7]}" in ran.out
    assert f"waiting status ci on main: nothing was reported on {tip[:7]}" in ran.out
    (pull,) = acme.pulls()
    acme.merge(pull)
    refused = acme("promote", "--to", "production", "--after-merge")
    assert refused.code == 8
    # The merge brings only values, so what CI says of the commit below it counts.
    assert f"status ci on main is waiting: nothing was reported on {tip[:7]}" in refused.err
    acme.ci(tip)
    tagged = acme("promote", "--to", "production", "--after-merge")
    assert tagged.code == 0, tagged.err
    assert "v1.0.1" in acme.tags()


def test_a_merge_that_brings_more_than_values_is_judged_itself(acme: Acme) -> None:
    acme.settings("gates: {statuses: [ci], healthy: true, soak: 30m}", "gates: {statuses: [ci]}")
    acme.ci(acme.repository.head())
    assert acme("promote", "--to", "production").code == 0
    (pull,) = acme.pulls()
    ours = acme.message(pull.head_ref)
    acme.repository.commit({"k8s/helm/churn-mlops/templates/new.yaml": "# slipped in\n"}, pull.head_ref, ours)
    merge = acme.merge(pull)
    refused = acme("promote", "--to", "production", "--after-merge")
    assert refused.code == 8
    assert f"status ci on main is waiting: nothing was reported on {merge[:7]}" in refused.err


def test_a_release_that_was_deleted_is_not_made_of_another_commit(acme: Acme) -> None:
    acme.without_gates()
    assert acme("promote", "--to", "production").code == 0
    (pull,) = acme.pulls()
    merge = acme.merge(pull)
    for _ in range(2):  # made, and where it was deleted made again of the same commit
        tagged = acme("promote", "--to", "production", "--after-merge")
        assert tagged.code == 0, tagged.err
        assert acme.tags()["v1.0.1"] == merge
        acme.repository.git.delete("refs/tags/v1.0.1")
    assert acme("bump", "--image", "ghcr.io/acme/churn-api:sha-0000001", "--environment", "staging").code == 0
    ran = acme("promote", "--to", "production")
    assert ran.code == 0, ran.err
    (pull,) = acme.pulls()
    assert pull.title == "chore: promote staging to production (v1.0.2)"
    assert "v1.0.1 was announced by a promotion that is merged, and there is no such tag" in pull.body


def test_tags_of_anything_else_than_a_commit_are_no_releases(acme: Acme) -> None:
    acme.without_gates()
    git, tip = acme.repository.git, acme.repository.head()
    git.run("tag", "v1.4.0", f"{tip}:{PRODUCTION}")
    git.run("tag", "-a", "-m", "words", "v1.5.0", f"{tip}^{{tree}}")
    git.run("tag", "-a", "-m", "words", "v1.0.1", f"{tip}~1")
    git.run("tag", "-a", "-m", "of a tag", "v1.0.2", "v1.0.1")
    ran = acme("promote", "--to", "production")
    assert ran.code == 0, ran.err
    (pull,) = acme.pulls()
    assert pull.title == "chore: promote staging to production (v1.5.1)"
    assert "after `v1.0.2`" in pull.body
    assert "v1.5.0 is a tag of no commit" in pull.body
    for command in ("rollback", "rollback --no-commit"):
        back = acme(command, "--environment", "production", "--dry-run")
        assert back.code in (0, 2), back.err
        refused = acme(command, "--environment", "production", "--to", "v1.4.0", "--dry-run")
        assert refused.code == 2
        assert "v1.4.0" in refused.err


def test_a_tag_alone_waits_for_its_gates(acme: Acme) -> None:
    acme.without_gates()
    acme("promote", "--to", "production")
    (pull,) = acme.pulls()
    merge = acme.merge(pull)
    acme.settings("    then: tag\n", "    gates: {healthy: true}\n    then: tag\n")
    ran = acme("promote", "--to", "production", "--after-merge")
    assert ran.code == 8
    assert "production is not tagged, because healthy is waiting" in ran.err
    assert "v1.0.1" not in acme.tags()
    acme.agent(merge, "success")
    ran = acme("promote", "--to", "production", "--after-merge")
    assert ran.code == 0, ran.err
    assert acme.tags()["v1.0.1"] == merge
    # Main has moved on: only the tag is missing, and what staging has is what would be tagged.
    ran = acme("promote", "--to", "production", "--level", "minor")
    assert ran.code == 0, ran.err
    assert acme.tags()["v1.1.0"] == acme.repository.head()


def test_what_staging_got_since_the_merge_does_not_hold_its_tag_back(acme: Acme) -> None:
    acme.settings("gates: {statuses: [ci], healthy: true, soak: 30m}", "gates: {healthy: true}")
    tip = acme.repository.head()
    acme.agent(tip, "success")
    assert acme("promote", "--to", "production").code == 0
    (pull,) = acme.pulls()
    merge = acme.merge(pull)
    acme.api("POST", f"/deployments/{acme.agent(merge, 'success')}/statuses", {"state": "inactive"})
    assert acme("bump", "--image", "ghcr.io/acme/churn-api:sha-0000001", "--environment", "staging").code == 0
    acme.agent(acme.repository.head(), "failure")
    ran = acme("promote", "--to", "production", "--after-merge")
    assert ran.code == 0, ran.err
    assert acme.tags()["v1.0.1"] == merge


def test_branches_are_merged_by_pull_request(acme: Acme) -> None:
    acme.repository.commit({"docs/x.md": "x\n"}, "develop", "docs: x")
    ran = acme("promote", "--from", "development", "--to", "staging")
    assert ran.code == 0, ran.err
    (pull,) = acme.pulls()
    assert (pull.title, pull.head_ref, pull.base_ref) == ("chore: promote development to staging", "develop", "main")
    assert "docs: x" in pull.body
    writes = len(acme.github.writes())
    assert acme("promote", "--to", "staging").code == 0
    assert len(acme.github.writes()) == writes
    acme.merge(pull)
    done = acme("promote", "--to", "staging")
    assert "nothing to promote: main has every commit of develop" in done.out


def built(acme: Acme, repository: str, commit: str, number: int) -> None:
    """Bump staging to what was built from a commit, in run ``number``."""
    source = {"repository": repository, "commit": commit, "run": number, "run_url": f"https://ci.example/{number}"}
    file = acme.checkout / "request.json"
    file.write_text(json.dumps({"environment": "staging", "images": [f"{API}:build-{number}"], "source": source}))
    ran = acme("bump", "--input", str(file))
    assert ran.code == 0, ran.err


def promoted(acme: Acme) -> None:
    """Promote, merge and tag what staging has."""
    assert acme("promote", "--to", "production").code == 0
    (pull,) = acme.pulls()
    acme.merge(pull)
    ran = acme("promote", "--to", "production", "--after-merge")
    assert ran.code == 0, ran.err


@pytest.mark.parametrize("name", ["acme/churn-mlops-prod", "acme/churn"])
def test_the_commits_of_the_application_are_those_between_the_images(acme: Acme, name: str) -> None:
    acme.without_gates()
    code = acme.repository if name == acme.repository.full_name else acme.github.repository(name)
    old = code.commit({"src/app.py": "1\n"}, message="feat: first", by="ada")
    built(acme, name, old, 1)
    promoted(acme)
    faster = code.commit({"src/app.py": "2\n"}, message="feat: faster\n\nmuch", by="ada")
    new = code.commit({"src/app.py": "3\n"}, message="fix: call @everyone", by="bob")
    built(acme, name, new, 2)
    assert acme("promote", "--to", "production").code == 0
    (pull,) = acme.pulls()
    page = f"{acme.github.server_url}/{name}"
    compare = f"[`{old[:7]}...{new[:7]}`](<{page}/compare/{old}...{new}>)"
    assert f"`{API}` gets " in pull.body
    assert f" of {name}, {compare}:" in pull.body
    assert f"- [`{faster[:7]}`](<{page}/commit/{faster}>) feat: faster, ada\n" in pull.body
    assert "fix: call @&#8203;everyone, bob" in pull.body
    assert "(<https://ci.example/2>)" in pull.body
    assert "https://ci.example/1" not in pull.body
    assert "feat: first" not in pull.body.partition("### Commits of the application")[2].partition("###")[0]
    writes = len(acme.github.writes())
    assert acme("promote", "--to", "production").code == 0
    assert len(acme.github.writes()) == writes

    # Back to the first build: an older version is promoted only where that is asked for, and that is said.
    acme.merge(pull)
    assert acme("promote", "--to", "production", "--after-merge").code == 0
    values = acme.read(STAGING).replace("tag: build-2", "tag: build-1")
    acme.repository.commit({STAGING: values}, "main", "chore: back")
    why = f"{API}: build-1 is older than build-2 in {PRODUCTION} (by the ancestry of the source commits "
    for dry in ([], ["--dry-run"]):
        ran = acme("promote", "--to", "production", *dry)
        assert (ran.code, acme.pulls()) == (0, [])
        assert f"nothing to promote: {why}" in ran.out
        assert "--allow-downgrade writes it all the same" in ran.out
    assert acme("promote", "--to", "production", "--allow-downgrade").code == 0
    (pull,) = acme.pulls()
    assert "it is written because --allow-downgrade says so" in pull.body
    assert f"`{API}` goes **back** by " in pull.body
    assert "feat: faster" in pull.body


def test_where_the_code_cannot_be_read_there_is_a_link(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    acme.without_gates()
    code = acme.github.repository("acme/secret", private=True)
    old, new = code.head(), code.commit({"src/app.py": "2\n"}, message="feat: hidden")
    reach = acme.github.tokens.add("app", repositories=frozenset({acme.repository.full_name}))
    monkeypatch.setenv("GITHUB_TOKEN", reach.value)
    built(acme, "acme/secret", old, 1)
    promoted(acme)
    built(acme, "acme/secret", new, 2)
    assert acme("promote", "--to", "production").code == 0
    (pull,) = acme.pulls()
    url = f"{acme.github.server_url}/acme/secret/compare/{old}...{new}"
    assert f"[`{old[:7]}...{new[:7]}`](<{url}>) of acme/secret, which could not be read here." in pull.body
    assert "feat: hidden" not in pull.body


def test_tags_that_name_commits_tell_where_no_bump_does(acme: Acme) -> None:
    acme.without_gates()
    old = acme.repository.commit({"src/app.py": "1\n"}, message="feat: first")
    new = acme.repository.commit({"src/app.py": "2\n"}, message="feat: second")
    for path, commit in ((PRODUCTION, old), (STAGING, new)):
        tag = acme.read(path).split("tag: ")[1].split("\n")[0]
        acme.repository.commit(
            {path: acme.read(path).replace(f"tag: {tag}", f"tag: sha-{commit[:7]}")}, "main", "by hand"
        )
    assert acme("promote", "--to", "production").code == 0
    (pull,) = acme.pulls()
    assert f"`{API}` gets 1 commit of {acme.repository.full_name}, [`{old[:7]}...{new[:7]}`]" in pull.body
    assert "feat: second" in pull.body.partition("### Commits of the application")[2].partition("###")[0]


def hold(version: str, environment: str = "") -> dict[str, str]:
    where = f", environment: {environment}" if environment else ""
    entry = f"{{what: ghcr.io/acme/churn-api, version: {version}, why: slow, by: bob{where}}}"
    return {".gitops-bot/holds.yaml": f"holds:\n- {entry}\n"}


def test_a_merge_that_brings_a_version_on_hold_is_refused(acme: Acme) -> None:
    values = acme.read(STAGING, "develop")
    acme.repository.commit({STAGING: values.replace("tag: sha-", "tag: sha-bad", 1)}, "develop", "chore: bump")
    version = acme.read(STAGING, "develop").split("tag: ")[1].split("\n")[0]
    ran = acme("promote", "--to", "staging")
    assert ran.code == 0, ran.err
    (pull,) = acme.pulls()
    assert f"`{version}`" in pull.body
    acme.repository.commit(hold(version, "staging"), "main", "chore: hold")
    refused = acme("promote", "--to", "staging")
    assert refused.code == 8
    assert f"ghcr.io/acme/churn-api {version} is held in staging by bob until it is released: slow" in refused.err
    check = [one for one in acme.repository.check_runs.values() if one["name"] == "promotion/staging"]
    assert [(one["head_sha"], one["conclusion"]) for one in check] == [(pull.head_sha, "failure")]

    # What only others have, and what the branch has had, is not brought.
    acme.repository.commit(hold(version, "production"), "main", "chore: hold")
    assert acme("promote", "--to", "staging").code == 0
    (check,) = [one for one in acme.repository.check_runs.values() if one["name"] == "promotion/staging"]
    assert check["conclusion"] == "success"


def test_what_was_put_on_hold_since_the_merge_is_not_tagged(acme: Acme) -> None:
    acme.without_gates()
    assert acme("promote", "--to", "production").code == 0
    (pull,) = acme.pulls()
    merge = acme.merge(pull)
    acme.repository.commit(hold("sha-4be81c0"), "main", "chore: hold")
    for arguments in (["--after-merge"], []):
        refused = acme("promote", "--to", "production", *arguments)
        assert refused.code == 8
        assert "production is not tagged, because ghcr.io/acme/churn-api sha-4be81c0 is held" in refused.err
    assert "v1.0.1" not in acme.tags()
    acme.repository.commit(hold("sha-4be81c0", "staging"), "main", "chore: hold")
    assert acme("promote", "--to", "production", "--after-merge").code == 0
    assert acme.tags()["v1.0.1"] == merge


def test_the_working_tree_alone_is_edited_without_a_token(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_TOKEN")
    for option in (("--no-commit", "--dry-run"), ("--dry-run",), ("--no-commit",)):
        ran = acme("promote", "--to", "production", *option)
        assert ran.code == 0, ran.err
        assert "sha-4be81c0" in ran.out
    assert acme.github.writes() == []
    changed = subprocess.run(
        ["git", "-C", acme.checkout, "diff", "--numstat"], capture_output=True, text=True, check=True
    )
    assert changed.stdout == f"1\t1\t{PRODUCTION}\n"
    refused = acme("promote", "--to", "staging", "--no-commit")
    assert refused.code == 2
    assert "merging develop into main" in refused.err


def test_a_dry_run_tells_change_and_gates(acme: Acme) -> None:
    ran = acme("promote", "--to", "production", "--dry-run")
    assert ran.code == 0, ran.err
    assert "chore: promote staging to production (v1.0.1)" in ran.out
    assert "+  tag: sha-4be81c0" in ran.out
    assert "waiting status ci: nothing was reported" in ran.out
    assert acme.github.writes() == []


def test_what_stands_against_it_is_told(acme: Acme) -> None:
    acme.repository.commit({".gitops-bot/holds.yaml": (
        "holds:\n- {what: ghcr.io/acme/churn-api, version: sha-4be81c0, why: slow, by: bob}\n"
    )})  # fmt: skip
    for arguments in ([], ["--dry-run"]):
        ran = acme("promote", "--to", "production", *arguments)
        assert ran.code == 8
        assert "ghcr.io/acme/churn-api sha-4be81c0 is held by bob until it is released: slow" in ran.err
    assert acme("promote", "--to", "nowhere").code == 2
    assert acme("promote", "--to", "development").code == 2
    assert acme("promote", "--from", "development", "--to", "production").code == 2
    assert acme("promote", "--to", "production", "--after-merge", "--dry-run").code == 2
    assert acme.github.writes() == []


def test_what_the_target_could_not_render_is_not_proposed(acme: Acme) -> None:
    """The same values mean something else there: here its chart refuses them by its namespace."""
    chart = (
        '{{- if and (contains "production" .Release.Namespace) (eq .Values.image.tag "sha-0000bad") }}'
        '{{- fail "not tested here" }}{{- end }}\n'
    )
    acme.repository.commit({"k8s/helm/churn-mlops/templates/guard.yaml": chart}, message="feat: a guard")
    assert acme("bump", "--image", f"{API}:sha-0000bad", "--environment", "staging").code == 0
    writes = len(acme.github.writes())
    for option in ((), ("--dry-run",)):
        ran = acme("promote", "--to", "production", *option)
        assert ran.code == 8, ran.out
        assert "churn-mlops-production could not be rendered any more" in ran.err
        assert "not tested here" in ran.err
    assert len(acme.github.writes()) == writes
    assert acme("bump", "--image", f"{API}:sha-00000ff", "--environment", "staging").code == 0
    assert acme("promote", "--to", "production").code == 0
    (pull,) = acme.pulls()
    assert "Renders differently: `churn-mlops-production`\n" in (pull.body or "")
