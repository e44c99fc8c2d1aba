"""Commands that write, on repositories with odd but legal content: refused or left alone, and never a crash."""

from __future__ import annotations

import pytest

from tests.cli.acme import PRODUCTION, STAGING, Acme, acme

__all__ = ["acme"]

SETTINGS = """\
version: 1
environments:
  staging: {branch: main}
  production: {tag: "v*.*.*"}
promotion:
  production: {from: staging, copy: [image.tag], then: tag}
"""


def link(acme: Acme, path: str, target: str) -> None:
    """Commit a symbolic link."""
    git, tip = acme.repository.git, acme.repository.head()
    tree = git.write_tree(tip, [(path, "120000", git.write_blob(target.encode()))])
    git.update("refs/heads/main", git.write_commit(tree, [tip], "chore: a link"))


@pytest.mark.parametrize(
    ("where", "odd", "rules"),
    [
        (STAGING, "directory", False),
        (STAGING, "dangling", True),
        (STAGING, "absolute", False),
        (PRODUCTION, "directory", True),
        (PRODUCTION, "absolute", True),
    ],
)
def test_what_is_no_file_of_values_is_no_crash(acme: Acme, where: str, odd: str, rules: bool) -> None:
    acme.without_gates()
    if not rules:
        acme.repository.commit({".gitops-bot.yaml": SETTINGS}, message="chore: no rules")
    acme.repository.commit({where: None}, message="chore: gone")
    if odd == "directory":
        acme.repository.commit({f"{where}/notes.txt": "x\n"}, message="chore: a directory")
    elif odd == "dangling":
        link(acme, where, "nowhere.yaml")
    else:
        link(acme, where, "/etc/passwd")
    for command in (
        ("promote", "--to", "production", "--dry-run"),
        ("rollback", "--environment", "staging", "--to", "v1.0.0", "--dry-run"),
        ("rollback", "--environment", "production", "--to", "v1.0.0", "--dry-run"),
        ("bump", "--image", "ghcr.io/acme/churn-api:sha-0000001", "--environment", "staging", "--dry-run"),
    ):
        ran = acme(*command)
        assert ran.code in (0, 2, 8), (command, ran.out, ran.err)


def test_what_a_dry_run_shows_has_no_secret_in_it(acme: Acme) -> None:
    text = acme.read(STAGING).replace("image:\n", "auth:\n  password: hunter2hunter2\nimage:\n", 1)
    acme.repository.commit({STAGING: text}, message="feat: a password")
    beside = acme("bump", "--image", "ghcr.io/acme/churn-api:sha-0000001", "--environment", "staging", "--dry-run")
    assert beside.code == 0, beside.err
    assert '   password: "<secret>"\n' in beside.out
    changed = text.replace("hunter2hunter2", "correct horse battery").replace("sha-4be81c0", "sha-0000001")
    acme.repository.commit({STAGING: changed}, message="feat: another password")
    back = acme("rollback", "--environment", "staging", "--dry-run")
    assert back.code == 0, back.err
    assert '-  password: "<secret>"\n+  password: "<secret, changed>"\n' in back.out
    for ran in (beside, back):
        assert "hunter2" not in ran.out + ran.err
        assert "horse" not in ran.out + ran.err
