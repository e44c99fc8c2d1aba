"""``gitops-bot tools`` as a person uses it."""

from __future__ import annotations

from click.testing import CliRunner

from gitops_bot.cli.tools import command
from gitops_bot.doors import install


def test_list_marks_what_is_used(helm):
    lines = CliRunner().invoke(command, ["list"]).output.splitlines()
    assert [line for line in lines if line.startswith("* helm") and helm in line]


def test_list_says_what_to_do_when_nothing_is_there(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("GITOPS_BOT_TOOLS", str(tmp_path / "none"))
    ended = CliRunner().invoke(command, ["list"])
    assert ended.exit_code == 0
    assert ended.output.count("gitops-bot tools install") == 2


def test_install_is_at_once_when_all_is_there(monkeypatch, tmp_path):
    monkeypatch.setenv("GITOPS_BOT_TOOLS", str(tmp_path))
    for name in ("helm", "kustomize"):
        (tmp_path / name).touch(mode=0o755)
    assert install.complete(tmp_path)
    ended = CliRunner().invoke(command, ["install"])
    assert (ended.exit_code, ended.output) == (0, f"helm and kustomize are installed in {tmp_path}\n")
