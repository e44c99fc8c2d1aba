import pytest

from gitops_bot.actions.environment import Runner, place, read_runner
from gitops_bot.errors import UsageError

GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_WORKSPACE": "/github/workspace",
    "GITHUB_EVENT_NAME": "pull_request",
    "GITHUB_EVENT_PATH": "/github/workflow/event.json",
    "GITHUB_REPOSITORY": "octo/shop",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_API_URL": "https://api.github.com",
    "GITHUB_OUTPUT": "/github/file_commands/set_output_1",
    "GITHUB_STEP_SUMMARY": "/github/file_commands/step_summary_1",
    "GITHUB_SHA": "a" * 40,
    "GITHUB_REF": "refs/pull/7/merge",
    "GITHUB_ACTOR": "ada",
    "GITHUB_WORKFLOW": "ci",
    "GITHUB_JOB": "diff",
    "GITHUB_RUN_ID": "1658821493",
    "GITHUB_RUN_ATTEMPT": "2",
    "RUNNER_TEMP": "/github/runner_temp",
    "RUNNER_DEBUG": "1",
}


def test_a_run():
    found = read_runner(GITHUB)
    assert found == Runner(
        workspace="/github/workspace", event_name="pull_request", event_path="/github/workflow/event.json",
        repository="octo/shop", server_url="https://github.com", api_url="https://api.github.com",
        output="/github/file_commands/set_output_1", step_summary="/github/file_commands/step_summary_1",
        temporary="/github/runner_temp", sha="a" * 40, ref="refs/pull/7/merge", actor="ada", workflow="ci", job="diff",
        run_id=1658821493, run_attempt=2, debug=True,
    )  # fmt: skip
    assert found.run_url == "https://github.com/octo/shop/actions/runs/1658821493"
    assert found.repository_url == "https://github.com/octo/shop"


@pytest.mark.parametrize(
    ("server", "api", "expected"),
    [
        (
            "https://ghes.example.org/",
            "https://ghes.example.org/api/v3/",
            ("https://ghes.example.org", "https://ghes.example.org/api/v3"),
        ),
        (
            "https://ghes.example.org:8443",
            "",
            ("https://ghes.example.org:8443", "https://ghes.example.org:8443/api/v3"),
        ),
        ("https://acme.ghe.com", "https://api.acme.ghe.com", ("https://acme.ghe.com", "https://api.acme.ghe.com")),
        ("", "", ("https://github.com", "https://api.github.com")),
        (
            "http://127.0.0.1:8080",
            "http://127.0.0.1:8080/api/v3",
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/api/v3"),
        ),
    ],
)
def test_other_servers(server, api, expected):
    found = read_runner({**GITHUB, "GITHUB_SERVER_URL": server, "GITHUB_API_URL": api})
    assert (found.server_url, found.api_url) == expected


def test_little_is_needed():
    needed = ("GITHUB_WORKSPACE", "GITHUB_EVENT_NAME", "GITHUB_EVENT_PATH", "GITHUB_REPOSITORY")
    found = read_runner({name: GITHUB[name] for name in needed})
    assert (found.output, found.step_summary, found.sha, found.run_id, found.run_url) == ("", "", "", 0, "")


def test_outside_a_workflow_everything_that_is_missing_is_named():
    with pytest.raises(UsageError) as caught:
        read_runner({"GITHUB_WORKSPACE": "/x", "GITHUB_EVENT_NAME": ""})
    assert caught.value.message == (
        "this is no step of a workflow: GITHUB_EVENT_NAME, GITHUB_EVENT_PATH, GITHUB_REPOSITORY not set"
    )
    assert "gitops-bot diff" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GITHUB_WORKSPACE", "here"), ("GITHUB_REPOSITORY", "octo"), ("GITHUB_REPOSITORY", "octo/../x"),
        ("GITHUB_SERVER_URL", "https://user:secret@github.com"), ("GITHUB_SERVER_URL", "file:///etc"),
        ("GITHUB_API_URL", "https://api.github.com?x=1"), ("GITHUB_API_URL", "https://api github.com"),
        ("GITHUB_API_URL", "--upload-pack"), ("GITHUB_API_URL", "https://"), ("GITHUB_API_URL", "https://a:x/"),
        ("GITHUB_API_URL", "https://[::1/"), ("GITHUB_SHA", "main"), ("GITHUB_SHA", "0" * 40),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_and_not_shown(name, value):
    with pytest.raises(UsageError, match=name) as caught:
        read_runner({**GITHUB, name: value})
    assert "secret" not in str(caught.value)


def test_every_wrong_variable_is_named_at_once():
    with pytest.raises(UsageError, match="GITHUB_REPOSITORY is not owner/name; GITHUB_SHA is no commit id"):
        read_runner({**GITHUB, "GITHUB_REPOSITORY": "x", "GITHUB_SHA": "y"})


# -- places ------------------------------------------------------------------------------------------------------------


def test_places_in_the_workspace(tmp_path):
    root = str(tmp_path)
    assert place(root, ".", name="x") == root
    assert place(root, "config/prod/", name="x") == f"{root}/config/prod"
    assert place(root, f"{root}/out", name="x") == f"{root}/out"
    assert place(root, "/var/cache", name="x", outside=True) == "/var/cache"


@pytest.mark.parametrize("path", ["..", "../x", "a/../../x", "/", "/etc"])
def test_places_outside_the_workspace(tmp_path, path):
    with pytest.raises(UsageError, match=r"report_directory: .* leads out of the workspace"):
        place(str(tmp_path), path, name="report_directory")


def test_a_neighbour_with_a_longer_name_is_outside(tmp_path):
    (tmp_path / "work").mkdir()
    with pytest.raises(UsageError, match="leads out"):
        place(str(tmp_path / "work"), "../work-2", name="x")


@pytest.mark.parametrize("outside", [False, True])
def test_a_link_in_the_checkout_does_not_lead_out(tmp_path, outside):
    work, secret = tmp_path / "work", tmp_path / "secret"
    work.mkdir()
    secret.mkdir()
    (work / "gitops-bot-report").symlink_to(secret)
    (work / "loop").symlink_to("loop")
    for path in ("gitops-bot-report", "gitops-bot-report/inner"):
        with pytest.raises(UsageError, match="leads out of the workspace"):
            place(str(work), path, name="report_directory", outside=outside)
    assert place(str(work), "loop", name="x") == f"{work}/loop"


def test_a_workspace_that_is_itself_reached_over_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert place(str(tmp_path / "link"), "a", name="x") == f"{tmp_path}/real/a"


# -- Git in a workspace of another owner -------------------------------------------------------------------------------
