"""The table of the Action's inputs: names, defaults and meanings, in the order in which people read them.

``action.yml``, ``docs/reference/action.md`` and the README repeat it; a test compares them. Names and defaults of the
write-back inputs are those of the options of ``gitops-bot bump``, ``promote`` and ``rollback``.
"""

from __future__ import annotations

import keyword
from typing import NamedTuple


class Input(NamedTuple):
    """One input of the Action."""

    name: str
    default: str
    """As action.yml has it; an expression of GitHub's is nothing here."""
    meaning: str
    """One or two sentences of Markdown, without bars and line breaks."""
    secret: bool = False
    """Its value is masked in the log and never part of a message."""

    @property
    def variable(self) -> str:
        """Name of the environment variable: ``INPUT_FAIL_ON``."""
        return f"INPUT_{self.name.upper()}"

    @property
    def field(self) -> str:
        """Its attribute of ``Inputs``: ``from_`` where the name is a word of Python's."""
        return f"{self.name}_" if keyword.iskeyword(self.name) else self.name


INPUTS = (
    Input(
        "command",
        "diff",
        "`diff` renders and compares, `post` publishes what a `diff` without rights has left in `report_file`, `bump` "
        "writes a new image tag or model version into Git, `promote` proposes for one environment what another has, "
        "`rollback` undoes a change of an environment.",
    ),
    Input(
        "token",
        "${{ github.token }}",
        "Reads the pull request and its commits and writes the comment; what writes into Git commits with it. Where "
        "it may not comment, the step summary holds the result.",
        secret=True,
    ),
    Input("app_id", "", "Id or client id of a GitHub App that comments and commits instead of `token`."),
    Input("app_private_key", "", "The App's private key, PEM.", secret=True),
    Input("app_installation_id", "", "The App's installation; without it, the one of this repository."),
    Input("comment", "auto", "`auto` keeps one comment on the pull request, `never` writes none."),
    Input("comment_key", "default", "Tells the comments of several jobs on one pull request apart."),
    Input("apps", "", "Only targets whose name or id matches: one glob per line, `!GLOB` leaves out."),
    Input(
        "fail_on",
        "",
        "Severities of signals that fail the step (`error`, `warning`, `info`), beside those of `review.fail_on` in "
        "the base's settings.",
    ),
    Input("base", "", "Branch, tag or commit that is merged into; without it, what the event says."),
    Input("head", "", "Branch, tag or commit that is merged; without it, what the event says."),
    Input("working_directory", ".", "Where in the workspace the repository is checked out."),
    Input(
        "cache",
        "",
        "Directory for renders and fetched sources, to be kept by `actions/cache`; without it they last as long as "
        "the job.",
    ),
    Input("offline", "false", "`true`: charts and sources from elsewhere come from `cache` only."),
    Input(
        "fetch_credentials",
        "",
        "Logins for private charts, registries and repositories: JSON or YAML, each bound to one URL. "
        "Empty where a run has no secrets.",
        secret=True,
    ),
    Input("report_directory", "gitops-bot-report", "Where the HTML and JSON reports are written, to be uploaded."),
    Input("report_file", "", "The JSON report of an earlier job, for `post`."),
    Input(
        "allow_untrusted_head",
        "false",
        "`true`: work with secrets at hand although a pull request's own files are checked out. "
        "Whoever opens one may then get at the secrets.",
    ),
    Input("image", "", "`bump`: the image that was built, `REPOSITORY:TAG[@DIGEST]`; several: one per line."),
    Input("digest", "", "`bump`: the digest of `image`, `sha256:…`; one line for each of its lines."),
    Input("file", "", "`bump`: the YAML file that `path` is in; one for all, or one line for each line of `path`."),
    Input("path", "", "`bump`: where in `file` the value stands, as `image.tag` or `list[name=a].b`; one per line."),
    Input("value", "", "`bump`: what is written at `path`; one line for each of its lines."),
    Input("model", "", "`bump`: the model that was trained, as the settings name it; written whole or not at all."),
    Input("model_version", "", "`bump`: its version."),
    Input("model_path", "", "`bump`: where it is stored, as `s3://…`."),
    Input("data_version", "", "`bump`: version or digest of its training data."),
    Input("run_url", "", "`bump`: page of its training run."),
    Input("metrics", "", "`bump`: JSON file with its metrics."),
    Input(
        "from_mlflow",
        "",
        "`bump`: URL of an MLflow server that says which version of `model` the `alias` means now, and all else of it.",
    ),
    Input("alias", "", "`bump`: the alias that `from_mlflow` is asked for, as `champion`."),
    Input(
        "environment",
        "",
        "`bump`: where to; its branch is written to. Without it, rules and files of the settings say where. "
        "`rollback`: what is rolled back.",
    ),
    Input("repository", "", "What is written to, `OWNER/NAME`, where the configuration is not in this repository."),
    Input(
        "branch",
        "",
        "`bump`, `rollback`: what is written to; without it the environment's branch, else the workflow's (`bump`).",
    ),
    Input(
        "mode",
        "",
        "`bump`, `rollback`: `api`, `push` or `pull-request`; `auto` commits, and proposes where the branch takes no "
        "commits. Without it, `commit.mode` of the settings.",
    ),
    Input("allow_downgrade", "false", "`bump`, `promote`, `true`: also write something older than what is there."),
    Input("create", "false", "`bump`, `true`: add keys that are not there."),
    Input("dry_run", "false", "`true`: show in the step summary what would be written, and write nothing."),
    Input("to", "", "`promote`: the environment that gets it."),
    Input("from", "", "`promote`: the environment that has it; without it, the one that the settings name."),
    Input("level", "", "`promote`: which number of the tag is raised, `patch`, `minor` or `major`."),
    Input(
        "after_merge",
        "false",
        "`promote`, `rollback`, `true`: tag the merge of the pull request, for an environment that follows tags.",
    ),
    Input("to_revision", "", "`rollback`: tag, branch or commit to go back to; without it, before the newest change."),
    Input("last_healthy", "false", "`rollback`, `true`: go back to what the agent last found healthy."),
    Input("why", "", "`rollback`: the reason, for people and the hold."),
    Input("until", "", "`rollback`: when the hold ends, `2026-12-01` or an RFC 3339 time; without it, when released."),
)
"""In the order in which people read them."""
