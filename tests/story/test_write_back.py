"""The story from a build to production and back, as teams live it: on the fake GitHub with real git and renderers."""

from __future__ import annotations

import json

import pytest

from gitops_bot.writeback.holds import FILE, parse_holds
from tests.cli.acme import API, PRODUCTION, STAGING, Acme, acme

__all__ = ["acme"]
MODEL = {
    "name": "churn-model", "version": "v1.3.0", "path": "s3://models/churn/v1.3.0/", "data": "sha256:" + "ab" * 32,
    "run_url": "https://wandb.ai/acme/churn/runs/x1", "metrics": {"auc": 0.86},
}  # fmt: skip


def done(acme: Acme, command: str, *arguments: str) -> str:
    """What a command that must succeed says."""
    ran = acme(command, *arguments)
    assert ran.code == 0, ran.err
    return str(ran.out)


def released(acme: Acme) -> str:
    """Let staging's agent and CI be content, promote to production, merge and tag; the tag's name."""
    tip = acme.repository.head()
    acme.ci(tip)
    acme.agent(tip, "queued", "in_progress", "success")
    done(acme, "promote", "--from", "staging", "--to", "production")
    (pull,) = acme.pulls()
    merge = acme.merge(pull)
    done(acme, "promote", "--to", "production", "--after-merge")
    (name,) = [name for name, commit in acme.tags().items() if commit == merge]
    return name


def calm(acme: Acme) -> None:
    """Gates as in the example, but for the soak: the fake's clock is not this machine's."""
    acme.settings(", soak: 30m", "")


@pytest.mark.parametrize("layout", ["beside the code", "a repository of its own"])
def test_from_a_build_to_production_and_back(acme: Acme, layout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calm(acme)
    where: tuple[str, ...] = ()
    if layout == "a repository of its own":
        monkeypatch.setenv("GITHUB_REPOSITORY", "acme/churn-code")
        where = ("--repository", acme.repository.full_name)
    first, production = acme.repository.head(), acme.read(PRODUCTION)
    before = acme.read(STAGING)

    # The build has pushed an image; its tag goes into staging's values, by one commit that explains itself.
    built = ("--image", f"{API}:sha-abc1234", "--environment", "staging", "--source-commit", "c" * 40)
    done(acme, "bump", *built, *where)
    assert acme.read(STAGING) == before.replace("tag: sha-4be81c0", "tag: sha-abc1234")
    assert acme.message().startswith("chore: update image tag\n")
    assert acme.repository.git.run("rev-list", "--count", f"{first}..main") == "1"

    # Nothing proves it yet: the pull request is there, its gates wait, and the tag does not come by itself.
    done(acme, "promote", "--to", "production", *where)
    (pull,) = acme.pulls()
    assert "⏳ waiting | `healthy`" in pull.body
    assert "⏳ waiting | `status ci`" in pull.body

    # Staging is synced and healthy, CI is green: the gates pass, and a person merges.
    bumped = acme.repository.head()
    acme.ci(bumped)
    acme.agent(bumped, "queued", "in_progress", "success")
    said = done(acme, "promote", "--to", "production", *where)
    assert "waiting" not in said
    assert "✅ passed | `healthy`" in pull.body
    assert "sha-abc1234" in pull.body
    assert acme.pulls() == [pull]
    merge = acme.merge(pull)
    assert "tagged v1.0.1" in done(acme, "promote", "--to", "production", "--after-merge", *where)
    assert acme.tags()["v1.0.1"] == merge
    assert "tag: sha-abc1234" in acme.read(PRODUCTION, "v1.0.1")

    # It was a mistake: undone by a commit, a new patch tag, and a hold.
    said = done(acme, "rollback", "--environment", "production", "--why", "latency doubled", *where)
    assert "tagged v1.0.2" in said
    assert acme.read(PRODUCTION, "v1.0.2") == production
    assert sorted(acme.tags()) == ["v1.0.0", "v1.0.1", "v1.0.2"]
    (hold,) = parse_holds(acme.read(FILE).encode())
    assert (hold.what, hold.version, hold.environment, hold.why) == (
        API,
        "sha-abc1234",
        "production",
        "latency doubled",
    )
    _it_stays_undone(acme, where)


def _it_stays_undone(acme: Acme, where: tuple[str, ...]) -> None:
    """For bumps and promotions, until somebody says otherwise. Staging is not concerned, and the next one gets through."""
    for refused in (acme("promote", "--to", "production", *where),
                    acme("bump", "--image", f"{API}:sha-abc1234", "--environment", "production", *where)):  # fmt: skip
        assert refused.code == 8
        assert "latency doubled" in refused.err
    fixed = ("--image", f"{API}:sha-def5678", "--environment", "staging", "--source-commit", "d" * 40)
    done(acme, "bump", *fixed, *where)
    tip = acme.repository.head()
    acme.ci(tip)
    acme.agent(tip, "success")
    done(acme, "promote", "--to", "production", *where)
    (pull,) = acme.pulls()
    acme.merge(pull)
    assert "tagged v1.0.3" in done(acme, "promote", "--to", "production", "--after-merge", *where)
    assert "tag: sha-def5678" in acme.read(PRODUCTION, "v1.0.3")

    # The same events once more: no commit, no pull request, no tag, no write call.
    head, tags, writes = acme.repository.head(), acme.tags(), len(acme.github.writes())
    done(acme, "bump", *fixed, *where)
    done(acme, "promote", "--to", "production", *where)
    done(acme, "promote", "--to", "production", "--after-merge", *where)
    assert (acme.repository.head(), acme.tags(), len(acme.github.writes())) == (head, tags, writes)


def test_a_change_goes_from_develop_to_main_by_pull_request(acme: Acme) -> None:
    values = "k8s/helm/churn-mlops/values.yaml"
    text = acme.read(values, "develop")
    acme.repository.commit(
        {values: text.replace("decisionThreshold: 0.5", "decisionThreshold: 0.7")}, "develop", "feat: surer"
    )
    said = done(acme, "promote", "--from", "development", "--to", "staging")
    assert "pull request" in said
    (pull,) = acme.pulls()
    assert (pull.head_ref, pull.base_ref) == ("develop", "main")
    assert "feat: surer" in pull.body
    assert "0.7" in pull.body, "the rendered diff shows what it does"
    acme.merge(pull)
    assert "decisionThreshold: 0.7" in acme.read(values)


def test_a_model_goes_the_same_way_whole(acme: Acme) -> None:
    calm(acme)
    before = acme.read(PRODUCTION)
    payload = acme.checkout / "model.json"
    payload.write_text(json.dumps({"models": [MODEL], "environment": "staging"}))
    done(acme, "bump", "--input", str(payload))
    assert acme.message().startswith("chore: deploy model v1.3.0\n")
    for text in ("v1.3.0", "s3://models/churn/v1.3.0/", MODEL["data"]):
        assert str(text) in acme.read(STAGING)
    name = released(acme)
    assert name == "v1.0.1"
    promoted = acme.read(PRODUCTION, name)
    for text in ("v1.3.0", "s3://models/churn/v1.3.0/", MODEL["data"]):
        assert str(text) in promoted
    # Undone it is whole, too, and held by its version.
    done(acme, "rollback", "--environment", "production", "--to", "v1.0.0", "--why", "auc fell")
    assert acme.read(PRODUCTION, "v1.0.2") == before
    held = {(hold.what, hold.version) for hold in parse_holds(acme.read(FILE).encode())}
    assert ("churn-model", "v1.3.0") in held
    refused = acme("promote", "--to", "production")
    assert refused.code == 8
    assert "churn-model v1.3.0 is held in production" in refused.err
    done(acme, "hold release", "--what", "churn-model", "--environment", "production")
    done(acme, "hold release", "--what", API, "--environment", "production")
    # The first promotion's branch was merged and left behind; it is used again.
    assert "pull request" in done(acme, "promote", "--to", "production")
    (pull,) = acme.pulls()
    assert "v1.3.0" in acme.read(PRODUCTION, pull.head_ref)


def test_staging_is_rolled_back_to_what_was_healthy_and_moves_on(acme: Acme) -> None:
    good, want = acme.repository.head(), acme.read(STAGING)
    acme.agent(good, "in_progress", "success")
    done(acme, "bump", "--image", f"{API}:sha-0000bad", "--environment", "staging")
    acme.agent(acme.repository.head(), "in_progress", "failure")
    done(acme, "rollback", "--environment", "staging", "--last-healthy", "--until", "2099-01-01")
    assert acme.read(STAGING) == want
    assert acme("bump", "--image", f"{API}:sha-0000bad", "--environment", "staging").code == 8
    done(acme, "bump", "--image", f"{API}:sha-0000001", "--environment", "staging")
    history = acme.repository.git.run("log", "--format=%s", "main", "--", STAGING).splitlines()
    assert history[0] == "chore: update image tag"
    assert history[1].startswith(f"fix: roll back staging to {good[:7]}")
    assert history[2] == "chore: update image tag"
