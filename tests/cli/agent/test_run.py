"""What ``agent run`` refuses before it asks anybody."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from gitops_bot.cli.agent.group import command
from gitops_bot.errors import UsageError


def refused(*arguments: str, **variables: str) -> UsageError:
    environment = {"KUBERNETES_SERVICE_HOST": None, "GITOPS_BOT_KUBECONFIG": None, **variables}
    done = CliRunner(env=environment).invoke(command, ["run", "--environment", "e", *arguments])
    assert isinstance(done.exception, UsageError), done.output
    return done.exception


def test_a_shell_s_own_cluster_is_not_taken_for_the_agent_s(tmp_path):
    error = refused(KUBECONFIG=str(tmp_path / "admin"))
    assert "no other cluster is named" in error.message
    assert "--kubeconfig" in error.hint


@pytest.mark.parametrize("poll", ["-5s", "0s", "5", "1.5m", "about 5m", ""])
def test_a_poll_is_a_duration(poll):
    assert "is no duration" in refused("--kubeconfig", "k", f"--poll={poll}").message


@pytest.mark.parametrize(
    "repo", ["file:///srv/fleet", "/srv/fleet", "ftp://example.org/fleet", "https://a:s3cret@example.org/x"]
)
def test_a_repository_that_nothing_fetches_is_named_as_the_option_it_is(repo):
    error = refused("--kubeconfig", "k", "--repo", repo)
    assert error.message.startswith("--repo cannot be used: ")
    assert "s3cret" not in error.told
