"""Of which commit a tag is made, and of which it is not: `promote` and `rollback` on the fake GitHub with real git."""

from __future__ import annotations

from gitops_bot.writeback.landing.topics import marked
from tests.cli.acme import API, PRODUCTION, STAGING, Acme, acme

__all__ = ["acme"]


def test_an_open_pull_request_does_not_lend_its_commit_to_the_tag_that_alone_is_missing(acme: Acme) -> None:
    acme.without_gates()
    assert acme("promote", "--to", "production").code == 0
    (pull,) = acme.pulls()
    # By hand both get something newer: nothing is left to copy, and the pull request's branch has the old values.
    for path in (STAGING, PRODUCTION):
        text = acme.read(path)
        tag = text.split("tag: ")[1].split("\n")[0]
        acme.repository.commit({path: text.replace(f"tag: {tag}", "tag: sha-00000ff")}, message="chore: by hand")
    tip = acme.repository.head()
    ran = acme("promote", "--to", "production")
    assert ran.code == 0, ran.err
    assert "tagged v1.0.1" in ran.out
    assert acme.tags()["v1.0.1"] == tip != pull.head_sha
    assert pull.state == "closed"


QA = STAGING.replace("staging", "qa")


def with_qa(acme: Acme) -> None:
    """Let production be promoted from an environment that follows tags itself."""
    acme.settings("  production: {tag", '  qa: {tag: "qa-*"}\n  production: {tag')
    acme.settings(
        "    from: staging\n    copy: [image.tag, image.digest, model.*]\n    gates: {statuses: [ci], healthy: true, soak: 30m}\n",
        "    from: qa\n    copy: [image.tag]\n    gates: {statuses: [ci]}\n",
    )
    acme.settings("promotion:\n", "promotion:\n  qa: {from: staging, copy: [image.tag], then: tag}\n")


def release_qa(acme: Acme, tag: str, name: str) -> str:
    """Give a version to the environment before production, and CI's word; the commit."""
    text = acme.read(STAGING)
    old = text.split("tag: ")[1].split("\n")[0]
    released = acme.repository.commit({QA: text.replace(f"tag: {old}", f"tag: {tag}")}, "main", "chore: qa")
    acme.repository.git.run("tag", name, released)
    acme.ci(released)
    return str(released)


def test_gates_are_those_of_the_branch_not_of_the_open_pull_request(acme: Acme) -> None:
    with_qa(acme)
    release_qa(acme, "sha-00000b1", "qa-1.0.0")
    assert acme("promote", "--to", "production").code == 0
    release_qa(acme, "sha-00000b2", "qa-1.0.1")
    tip = acme.repository.commit({"k8s/helm/churn-mlops/templates/bad.yaml": "# bad\n"}, "main", "feat: bad")
    acme.ci(tip, "failure")
    ran = acme("promote", "--to", "production")
    assert ran.code == 0, ran.err
    assert f"failed  status ci on main: failure on {tip[:7]}" in ran.out, ran.out
    (pull,) = acme.pulls()
    checks = acme.api("GET", f"/commits/{pull.head_sha}/check-runs")["check_runs"]
    assert [each["conclusion"] for each in checks if each["name"] == "promotion/production"] == ["failure"]


def test_the_gates_of_a_merge_are_asked_of_what_it_brings(acme: Acme) -> None:
    """Staging has something newer and healthy by the time of the merge; what is merged never was."""
    acme.settings("gates: {statuses: [ci], healthy: true, soak: 30m}", "gates: {healthy: true}")
    assert acme("bump", "--image", f"{API}:sha-0000bad", "--environment", "staging").code == 0
    acme.agent(acme.repository.head(), "failure")
    assert acme("promote", "--to", "production").code == 0
    (pull,) = acme.pulls()
    assert acme("bump", "--image", f"{API}:sha-00000ff", "--environment", "staging").code == 0
    acme.agent(acme.repository.head(), "success")
    acme.merge(pull)
    assert "tag: sha-0000bad" in acme.read()
    ran = acme("promote", "--to", "production", "--after-merge")
    assert ran.code == 8, ran.out
    assert "production is not tagged, because healthy is " in ran.err
    assert sorted(acme.tags()) == ["v1.0.0"]


def test_what_a_commit_says_it_was_copied_from_is_compared(acme: Acme) -> None:
    """Whoever may push may write it; here it names what was proved, and brings something else."""
    with_qa(acme)
    proved = release_qa(acme, "sha-00000b1", "qa-1.0.0")
    assert acme("promote", "--to", "production").code == 0
    (pull,) = acme.pulls()
    assert f"Gitops-Bot-Promoted-From: {proved}" in acme.message(pull.head_ref)
    text = acme.read(revision=pull.head_ref).replace("sha-00000b1", "sha-0000bad")
    acme.repository.commit({PRODUCTION: text}, pull.head_ref, acme.message(pull.head_ref), by="eve")
    acme.merge(pull)
    ran = acme("promote", "--to", "production", "--after-merge")
    assert ran.code == 8, ran.out
    assert f"production is not tagged, because image.tag of {PRODUCTION} is not what qa had in {proved[:7]}" in ran.err
    assert sorted(acme.tags()) == ["qa-1.0.0", "v1.0.0"]


def test_a_commit_without_any_values_proves_nothing(acme: Acme) -> None:
    with_qa(acme)
    release_qa(acme, "sha-00000b1", "qa-1.0.0")
    assert acme("promote", "--to", "production").code == 0
    (pull,) = acme.pulls()
    git = acme.repository.git
    bare = git.write_commit(git.write_tree(None, [("README.md", "100644", git.write_blob(b"x"))]), [], "docs: x")
    git.update("refs/heads/bare", bare)
    acme.ci(bare)
    said = acme.message(pull.head_ref)
    forged = "\n".join(
        f"Gitops-Bot-Promoted-From: {bare}" if line.startswith("Gitops-Bot-Promoted-From") else line
        for line in said.splitlines()
    )
    acme.repository.commit({PRODUCTION: acme.read() + "evil: true\n"}, pull.head_ref, forged, by="eve")
    acme.merge(pull)
    ran = acme("promote", "--to", "production", "--after-merge")
    assert ran.code == 8, ran.out
    assert f"production is not tagged, because what was merged is not what qa had in {bare[:7]}" in ran.err
    assert sorted(acme.tags()) == ["qa-1.0.0", "v1.0.0"]


def test_a_merge_that_was_undone_by_hand_since_is_not_tagged(acme: Acme) -> None:
    acme.without_gates()
    before = acme.read()
    assert acme("promote", "--to", "production").code == 0
    (pull,) = acme.pulls()
    acme.merge(pull)
    acme.repository.commit({PRODUCTION: before}, message="revert: every request failed")
    ran = acme("promote", "--to", "production", "--after-merge")
    assert ran.code == 0, ran.err
    assert f"#{pull.number}" in ran.out
    assert sorted(acme.tags()) == ["v1.0.0"]


def test_somebody_elses_pull_request_from_a_branch_of_our_name_is_not_tagged(acme: Acme) -> None:
    acme.without_gates()
    branch = "gitops-bot/promote--production"
    forged = (
        "chore: promote staging to production (v1.0.1)\n\nGitops-Bot-Promotion: staging production\n"
        "Gitops-Bot-Tag: v1.0.1\nGitops-Bot-Level: patch\nGitops-Bot-Topic: promote/production\n"
    )
    acme.repository.commit({PRODUCTION: acme.read() + "evil: true\n"}, branch, forged, start="main", by="eve")
    made = acme.github.open_pull(acme.repository, branch)
    made.body = marked("promote/production", "x", "y")
    acme.api("PUT", f"/pulls/{made.number}/merge", {})
    ran = acme("promote", "--to", "production", "--after-merge")
    assert ran.code == 0, ran.err
    assert sorted(acme.tags()) == ["v1.0.0"], ran.out


def test_the_check_of_a_pull_request_fails_with_what_stands_against_it(acme: Acme) -> None:
    acme.settings("gates: {statuses: [ci], healthy: true, soak: 30m}", "gates: {statuses: [ci]}")
    acme.ci(acme.repository.head())
    assert acme("promote", "--to", "production").code == 0
    (pull,) = acme.pulls()

    def conclusions() -> list[str]:
        checks = acme.api("GET", f"/commits/{pull.head_sha}/check-runs")["check_runs"]
        return [each["conclusion"] for each in checks if each["name"] == "promotion/production"]

    assert conclusions() == ["success"]
    acme.repository.commit({".gitops-bot/holds.yaml": "holds: nonsense\n"}, message="chore: hold")
    assert acme("promote", "--to", "production").code == 2
    assert conclusions() == ["failure"]
    acme.repository.commit({".gitops-bot/holds.yaml": None}, message="chore: release")
    acme.ci(acme.repository.head())
    assert acme("promote", "--to", "production").code == 0
    assert conclusions() == ["success"]
    text = acme.read(STAGING)
    acme.repository.commit({STAGING: text.replace("tag: ", "tug: ", 1)}, message="chore: a slip")
    assert acme("promote", "--to", "production").code == 8
    assert conclusions() == ["failure"]
