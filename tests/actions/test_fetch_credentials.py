"""The input `fetch_credentials`: read from JSON and YAML, masked whatever it holds, and used without any file."""

from __future__ import annotations

import base64
import contextlib
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gitops_bot.actions.fetch_credentials import LARGEST, read, secrets_in
from gitops_bot.actions.inputs import read_inputs
from gitops_bot.doors.conceal import forms
from gitops_bot.errors import UsageError
from tests.actions.churn import checkout, event
from tests.actions.here import Here
from tests.servers import asks_login, directory

SECRET = "n1ghtingale/of+the=charts"
PAIR = base64.b64encode(f"ci:{SECRET}".encode()).decode()
ENTRY = {"url": "https://charts.example.org/team", "username": "ci", "password": SECRET}
YAML = f"""\
# the charts of the team
- url: https://charts.example.org/team
  username: ci
  password: {json.dumps(SECRET)}
- {{url: "https://api.example.org", token: {SECRET}}}
"""


def header(text: str, url: str) -> str:
    found, problems = read(text)
    assert problems == ()
    assert found is not None
    return found.header(url)


@pytest.mark.parametrize("text", [json.dumps([ENTRY]), json.dumps([ENTRY], indent=2), json.dumps([ENTRY], indent="\t"),
                                  YAML, f"\n{YAML}\n"])  # fmt: skip
def test_it_is_json_or_yaml(text: str) -> None:
    assert header(text, "https://charts.example.org/team/index.yaml") == f"Basic {PAIR}"
    assert header(text, "https://charts.example.org/other") == ""


def test_what_is_empty_is_none() -> None:
    assert read("") == read(" \n") == (None, ())
    assert secrets_in("") == secrets_in(" \n") == ()


def test_a_secret_that_a_fork_does_not_get_is_told_by_its_place() -> None:
    """`password: ${{ toJSON(secrets.CHARTS) }}` is null where there is no such secret."""
    found, problems = read(
        '- {url: "https://a.example", username: ci, password: null}\n- {url: oci://b.example, token: ""}'
    )
    assert problems == ()
    assert found is not None
    assert (found.entries, found.unset) == ((), ("https://a.example", "https://b.example"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", ("is no list of entries with a url and a password or token",)),
        ("- - x", ("entry 1 is no mapping with a url and a password or token",)),
        ("[", ("is neither JSON nor YAML (line 1)",)),
        ("- {url: https://x.example, url: https://y.example}", ("is neither JSON nor YAML (line 1)",)),
        ("x" * (LARGEST + 1), ("is longer than 64 Ki characters",)),
        ("- {pasword: x, token: 7}", (
            "entry 1 has an unknown key (there are url, username, password, token)",
            "entry 1 has a token that is no text: write it in quotes", "entry 1 has no url")),
        ("- {url: https://x.example, password: a, token: b}", ("entry 1 has both a password and a token",)),
        ('- {url: https://x.example, username: "a:b", password: c}', (
            "entry 1 has a username with a colon, which basic authentication cannot send",)),
        ('- {url: https://x.example, password: "a\\nb"}', (
            "entry 1 has a password with a line break or another control character in it",)),
        ("- {url: https://x.example, token: two words}", (
            "entry 1 has a token that is no token: it may have printable ASCII characters only",)),
        ("- {url: https://x.example, token: a}\n- {url: 'ssh://git@x.example', token: b}", (
            "entry 2 has a url that cannot be used: it is neither https nor a registry's (ssh uses an agent's keys)",)),
        ("- {url: 'https://ci:pw@x.example', token: b}", (
            "entry 1 has a url that cannot be used: it carries a password or token",)),
    ],
)  # fmt: skip
def test_every_problem_is_told_by_its_entry(text: str, expected: tuple[str, ...]) -> None:
    assert read(text) == (None, expected)


def test_the_end_of_a_line_belongs_to_no_secret() -> None:
    assert header(json.dumps([{**ENTRY, "password": f"{SECRET}\n"}]), ENTRY["url"]) == f"Basic {PAIR}"


# -- masks -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [YAML, json.dumps([ENTRY]), json.dumps([{**ENTRY, "password": f"{SECRET}\r\n"}])])
def test_what_is_masked_of_a_whole_one(text: str) -> None:
    assert set(map(str.strip, secrets_in(text))) == {SECRET, PAIR}


@pytest.mark.parametrize(
    "text",
    [
        f"{{{SECRET}: {SECRET}}}",
        json.dumps({"charts": {"pasword": SECRET}}),
        f"- url: https://ci:{SECRET.replace('/', '_')}@x.example".replace("_of", "/of"),
        f"- {{url: https://x.example, password: {SECRET}",
        f"- url: https://x.example\n password: {SECRET}",
        f"password={SECRET}",
        f"[{SECRET}]",
        SECRET,
    ],
)
def test_what_is_wrong_is_masked_all_the_same(text: str) -> None:
    hidden = text
    for form in sorted((form for each in secrets_in(text) for form in forms(each)), key=len, reverse=True):
        hidden = hidden.replace(form, "***")
    assert "n1ghtingale" not in hidden or text.startswith("{n1")  # a key is no value, and no message quotes keys
    _, problems = read(text)
    assert problems
    assert "n1ghtingale" not in str(problems)


words = st.text(st.characters(exclude_categories=["Cs"]), min_size=6, max_size=30).filter(
    lambda text: text.strip() == text
)
entries = st.fixed_dictionaries(
    {}, optional={key: words | st.none() | st.integers() for key in ("url", "username", "password", "token", "other")}
)


@given(st.lists(entries | words, max_size=3))
@example([{"url": "https://x.example", "password": "entry 1 has"}])
def test_no_problem_quotes_a_value(value: list[object]) -> None:
    _, problems = read(json.dumps(value))
    plain, _ = read(json.dumps([{}, {}, {}]))
    assert plain is None
    own = " ".join(PROBLEMS)
    for secret in (one for entry in value for one in (entry.values() if isinstance(entry, dict) else [entry])):
        if isinstance(secret, str) and secret not in own:
            assert secret not in " ".join(problems)


PROBLEMS = [problem for text in ("{}", "- - x", "- {a: 1}", "- {url: 1, token: x, password: y, username: 'a:b'}")
            for problem in read(text)[1]]  # fmt: skip
PROBLEMS += [read(f"- {{token: a, url: '{url}'}}")[1][0] for url in ("x", "https://a:b@c", "https://a b", "https:///x")]


@given(st.text(max_size=200))
def test_any_text_gives_credentials_or_problems(text: str) -> None:
    found, problems = read(text)
    assert found is None or not problems
    assert all(each.strip() for each in secrets_in(text))
    told = ""
    with contextlib.suppress(UsageError):
        told = f"{read_inputs({'INPUT_FETCH_CREDENTIALS': text})!r}"
    assert bool(told) == (not read(text.strip())[1])


# -- in a step ---------------------------------------------------------------------------------------------------------

WEB = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: web, namespace: argocd}}
spec:
  project: default
  destination: {{namespace: web, server: https://kubernetes.default.svc}}
  source: {{repoURL: {url}, chart: app, targetRevision: {version}}}
"""
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: near}\ndata: {a: %s}\n"


@pytest.fixture
def private(github, tmp_path, server, packed_charts, helm):
    """Runs the Action on a pull request that moves a chart of a private repository, or only a file beside it."""
    server.routes["/charts/"] = asks_login(directory(packed_charts, "/charts"), "ci", SECRET)
    url = f"{server.url}/charts"
    files = {
        ".gitops-bot.yaml": f"version: 1\nfetch: {{allow: ['{url}']}}\n",
        "argocd/web.yaml": WEB.format(url=url, version="1.0.0"), "near/map.yaml": MAP % "old",
    }  # fmt: skip
    repository = github.repository("acme/shop", files)
    token = github.tokens.actions.value

    def run(changed, logins=""):
        pull = github.open_pull(repository, "move", files=changed)
        here = Here(tmp_path / "runner", repository=repository.full_name, server_url=github.server_url,
                    api_url=github.url)  # fmt: skip
        checkout(repository, here.workspace, f"refs/pull/{pull.number}/merge")
        step = here.step(
            {"fetch_credentials": logins, "cache": ".kept"}, event=event(github, repository, pull), token=token
        )
        (comment,) = github.comments(pull.number)
        return here, step, comment.body

    run.url, run.server = url, server
    return run


def test_a_step_fetches_a_private_chart_and_leaves_the_password_nowhere(private):
    logins = json.dumps([{"url": private.url, "username": "ci", "password": SECRET}])
    here, step, comment = private({"argocd/web.yaml": WEB.format(url=private.url, version="1.1.0")}, logins)
    assert step.code == 0, step.stdout
    assert (step.outputs["failed"], step.outputs["changed"]) == ("0", "true")
    assert {"/charts/app-1.0.0.tgz", "/charts/app-1.1.0.tgz"} <= set(private.server.paths())
    told = "\n".join(line for line in step.stdout.split("\n") if not line.startswith("::add-mask::"))
    first = step.stdout.split("\n").index(next(line for line in step.stdout.split("\n") if "::add-mask::" not in line))
    assert f"::add-mask::{SECRET}" in step.stdout.split("\n")[:first]
    assert f"::add-mask::{PAIR}" in step.stdout.split("\n")[:first]
    for form in (SECRET, PAIR):
        assert form not in told + step.stderr + step.summary + comment + json.dumps(step.outputs)
        for path in [*here.workspace.rglob("*"), *here.temp.rglob("*")]:
            if path.is_file():
                assert form.encode() not in path.read_bytes(), path


def test_without_the_secret_the_target_is_named_as_not_rendered_and_fails(private):
    logins = f'- {{url: "{private.url}", username: ci, password: null}}'
    changed = {"argocd/web.yaml": WEB.format(url=private.url, version="1.1.0"), "near/map.yaml": MAP % "new"}
    _, step, comment = private(changed, logins)
    assert step.code == 3, step.stdout
    assert f"fetch_credentials has an empty secret for {private.url}" in step.stdout
    assert "ConfigMap near" in comment
    assert "`argocd/web.yaml#web`: head side" in comment
    assert "answers HTTP 401" in comment
    assert step.outputs["failed"] == "1"


def test_without_the_secret_what_the_change_does_not_touch_fails_nothing(private):
    _, step, comment = private({"near/map.yaml": MAP % "new"})
    assert step.code == 0, step.stdout + comment
    assert (step.outputs["failed"], step.outputs["changed"]) == ("0", "true")


def test_what_is_wrong_ends_the_step_and_quotes_nothing(github, tmp_path):
    here = Here(tmp_path / "runner", server_url=github.server_url, api_url=github.url)
    step = here.step(
        {"fetch_credentials": f'[{{"url": "https://x.example", "pasword": "{SECRET}"}}]'}, env={"GITHUB_SHA": "a" * 40}
    )
    assert step.code == 2
    told = "\n".join(line for line in step.stdout.split("\n") if not line.startswith("::add-mask::"))
    assert "fetch_credentials: entry 1 has an unknown key" in told
    assert SECRET not in told
    assert f"::add-mask::{SECRET}" in step.stdout
