import ast
import inspect
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gitops_bot.actions import inputs as module
from gitops_bot.actions.input_table import INPUTS
from gitops_bot.actions.inputs import Inputs, read_inputs, secret_values
from gitops_bot.actions.outputs import OUTPUTS
from gitops_bot.doors.credentials import bind
from gitops_bot.errors import UsageError
from tests.actions.tables import input_table, marked, output_table

ROOT = Path(__file__).parents[2]
SECRETS = {"INPUT_TOKEN", "INPUT_APP_PRIVATE_KEY", "INPUT_FETCH_CREDENTIALS"}
BODY = "MIIEowIBAAKCAQEAcanary\nsecond-line-of-the-key"
KEY = f"-----BEGIN RSA PRIVATE KEY-----\n{BODY}\n-----END RSA PRIVATE KEY-----"
PASSWORD = "canary-of-the-charts"
LOGINS = f"- url: https://charts.example.org/team\n  username: ci\n  password: {PASSWORD}\n"
TOKEN = "ghs_16C7e42F292c6912E7710c838347Ae178B4a"


def environment(**given):
    return {f"INPUT_{name.upper()}": value for name, value in given.items()}


def read(**given):
    return read_inputs(environment(**given))


def problems(**given):
    with pytest.raises(UsageError) as caught:
        read(**given)
    return [line.strip() for line in caught.value.message.splitlines()[1:]]


# -- the table is the same everywhere ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def action():
    return yaml.safe_load((ROOT / "action.yml").read_text())


def test_action_yml_has_the_inputs_of_the_code(action):
    assert [
        (name, str(each["default"]), each["description"].strip(), each["required"])
        for name, each in action["inputs"].items()
    ] == [(each.name, each.default, each.meaning, False) for each in INPUTS]


def test_action_yml_hands_every_input_on_by_name(action):
    assert action["runs"]["env"] == {each.variable: f"${{{{ inputs.{each.name} }}}}" for each in INPUTS}
    # The runner makes the same name out of the input's: where both set it, the value is the same.
    assert all(each.variable == f"INPUT_{each.name.replace(' ', '_').upper()}" for each in INPUTS)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", each.name) for each in INPUTS)
    # Inputs of these names would change how the runner starts a container.
    assert not {each.name for each in INPUTS} & {"args", "entrypoint"}


def test_action_yml_has_the_outputs_of_the_code(action):
    assert [(name, each["description"].strip()) for name, each in action["outputs"].items()] == list(OUTPUTS)


def test_action_yml_starts_the_container_without_a_shell(action):
    assert action["runs"]["using"] == "docker"
    assert action["runs"]["args"] == ["action"]
    image = action["runs"]["image"]
    assert image == "Dockerfile" or re.fullmatch(r"docker://[a-z0-9./-]+@sha256:[0-9a-f]{64}", image)
    assert set(action["runs"]) == {"using", "image", "args", "env"}


def test_action_yml_can_be_published(action):
    assert set(action["branding"]) == {"icon", "color"}
    assert 0 < len(action["description"]) <= 125
    assert action["name"] == "gitops-bot"


@pytest.mark.parametrize(("name", "table"), [("INPUTS", input_table()), ("OUTPUTS", output_table())])
def test_the_reference_has_the_tables(name, table):
    assert marked((ROOT / "docs" / "reference" / "action.md").read_text(), name) == table


@pytest.mark.parametrize(("name", "table"), [("INPUTS", input_table()), ("OUTPUTS", output_table())])
def test_the_readme_has_the_tables(name, table):
    assert marked((ROOT / "README.md").read_text(), name) == table, "python -m tests.actions.tables writes them"


def test_a_table_holds_what_tables_can_hold():
    for name, meaning in [*((each.name, each.meaning) for each in INPUTS), *OUTPUTS]:
        assert re.fullmatch(r"[^|\n]+\.", meaning), name


def test_every_input_is_read_and_has_a_place():
    names = [each.name for each in INPUTS]
    assert list(Inputs.__struct_fields__) == [each.field for each in INPUTS]
    read_by_name = {
        node.args[0].value
        for node in ast.walk(ast.parse(inspect.getsource(module.read_inputs)))
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)
    }
    assert read_by_name >= set(names)


# -- reading -----------------------------------------------------------------------------------------------------------


def test_without_any_input_the_defaults_hold():
    assert read_inputs({}) == Inputs()
    assert read_inputs({each.variable: "" for each in INPUTS}) == Inputs()
    assert read_inputs({each.variable: " \n" for each in INPUTS}) == Inputs()


def test_the_defaults_of_action_yml_are_the_defaults():
    given = {each.variable: TOKEN if each.default.startswith("${{") else each.default for each in INPUTS}
    assert read_inputs(given) == Inputs(token=TOKEN)


def test_all_inputs_of_a_bump():
    assert read(
        command="bump",
        token=f" {TOKEN}\n",
        app_id="Iv23liabcdef",
        app_private_key=KEY + "\n",
        app_installation_id="4711",
        working_directory="config",
        cache="/github/home/cache",
        offline="True",
        fetch_credentials=LOGINS,
        allow_untrusted_head="TRUE",
        image="ghcr.io/acme/a:1\n\n ghcr.io/acme/b:2 \n",
        digest=f"sha256:{'a' * 64}\nsha256:{'b' * 64}",
        file="values.yaml",
        path="image.tag\nreplicas",
        value="1\n2",
        model="churn model",
        model_version="v1.2.4",
        model_path="s3://models/churn/v1.2.4/",
        data_version="sha256:ab",
        run_url="https://wandb.example/runs/1",
        metrics="out/metrics.json",
        environment="staging",
        repository="acme/config",
        branch="deploy/main",
        mode="pull-request",
        allow_downgrade="true",
        create="true",
        dry_run="true",
    ) == Inputs(
        command="bump",
        token=TOKEN,
        app_id="Iv23liabcdef",
        app_private_key=KEY,
        app_installation_id=4711,
        working_directory="config",
        cache="/github/home/cache",
        offline=True,
        fetch_credentials=bind([{"url": "https://charts.example.org/team", "username": "ci", "password": PASSWORD}])[0],
        allow_untrusted_head=True,
        image=("ghcr.io/acme/a:1", "ghcr.io/acme/b:2"),
        digest=(f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"),
        file=("values.yaml",),
        path=("image.tag", "replicas"),
        value=("1", "2"),
        model="churn model",
        model_version="v1.2.4",
        model_path="s3://models/churn/v1.2.4/",
        data_version="sha256:ab",
        run_url="https://wandb.example/runs/1",
        metrics="out/metrics.json",
        environment="staging",
        repository="acme/config",
        branch="deploy/main",
        mode="pull-request",
        allow_downgrade=True,
        create=True,
        dry_run=True,
    )


def test_all_inputs_of_a_comparison():
    assert read(
        comment="never",
        comment_key="staging/eu-1",
        apps="prod-*\n\n  !prod-test  \n",
        fail_on="warning, error",
        base="release/1.2",
        head="a" * 40,
        report_directory="out/report",
    ) == Inputs(
        comment="never",
        comment_key="staging/eu-1",
        apps=("prod-*", "!prod-test"),
        fail_on=("error", "warning"),
        base="release/1.2",
        head="a" * 40,
        report_directory="out/report",
    )


def test_all_inputs_of_a_post():
    given = {"command": "post", "comment": "never", "comment_key": "a", "report_file": "in/report.json"}
    assert read(**given, token=TOKEN) == Inputs(**given, token=TOKEN)


def test_a_registry_may_be_asked_instead_of_telling_all_of_a_model():
    given = {"model": "churn-model", "from_mlflow": "https://mlflow.example.org", "alias": "champion"}
    assert read(command="bump", **given) == Inputs(command="bump", **given)


def test_all_inputs_of_promotions_and_rollbacks():
    promoted = {"to": "production", "level": "minor", "repository": "acme/config"}
    assert read(command="promote", **promoted, after_merge="true", **{"from": "staging"}) == Inputs(
        command="promote", **promoted, after_merge=True, from_="staging"
    )
    undone = {"environment": "staging", "branch": "main", "mode": "api", "why": "it's slow", "until": "2026-12-01"}
    assert read(command="rollback", **undone, to_revision="v1.0.0") == Inputs(
        command="rollback", **undone, to_revision="v1.0.0"
    )
    assert read(command="rollback", environment="x", last_healthy="true").last_healthy


@pytest.mark.parametrize(
    "given", ["error,warning", "warning\nerror", " error  warning ", "error,,warning,", "error, error, warning"]
)
def test_severities_may_be_listed_as_people_list_things(given):
    assert read(fail_on=given).fail_on == ("error", "warning")


@pytest.mark.parametrize("given", [KEY, KEY.replace("\n", "\\n"), KEY.replace("\n", "\r\n"), f"\n{KEY}\n\n"])
def test_a_key_may_come_in_one_line(given):
    assert read(app_id="1", app_private_key=given).app_private_key == KEY


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"command": "bum"}, "command: there is no 'bum' (there are diff, post, bump, promote, rollback)"),
        ({"command": "diff; rm -rf /"}, "command: there is no 'diff; rm -rf /' (there are diff, post, bump, promote, rollback)"),
        ({"comment": "Auto"}, "comment: there is no 'Auto' (there are auto, never)"),
        ({"comment_key": "a b"}, "comment_key: may have letters, digits, dots, dashes, slashes and underscores, at most 64"),
        ({"comment_key": "--><b>"}, "comment_key: may have letters, digits, dots, dashes, slashes and underscores, at most 64"),
        ({"comment_key": "x" * 65}, "comment_key: may have letters, digits, dots, dashes, slashes and underscores, at most 64"),
        ({"fail_on": "eror"}, "fail_on: there is no severity 'eror' (there are error, warning, info)"),
        ({"fail_on": "none"}, "fail_on: there is no severity 'none' (there are error, warning, info)"),
        ({"offline": "yes"}, "offline: must be true or false"),
        ({"allow_untrusted_head": "1"}, "allow_untrusted_head: must be true or false"),
        ({"base": "--upload-pack=x"}, "base: is no branch, tag or commit"),
        ({"head": "HEAD~1"}, "head: is no branch, tag or commit"),
        ({"head": "a:b"}, "head: is no branch, tag or commit"),
        ({"working_directory": "../x"}, "working_directory: leads upwards"),
        ({"cache": "a\0b"}, "cache: has a control character"),
        ({"apps": "a\0"}, "apps: has a control character"),
        ({"app_installation_id": "x", "app_id": "1", "app_private_key": KEY}, "app_installation_id: is no number"),
        ({"app_installation_id": "12"}, "app_installation_id: goes with app_id and app_private_key"),
        ({"app_id": "12"}, "app_private_key: is missing; app_id and app_private_key go together"),
        ({"app_private_key": KEY}, "app_id: is missing; app_id and app_private_key go together"),
        ({"app_id": "1 2", "app_private_key": KEY}, "app_id: is no id of a GitHub App"),
        ({"app_id": "1", "app_private_key": BODY}, "app_private_key: is no private key in PEM form"),
        ({"token": "two words"}, "token: is no token"),
        ({"command": "post", "token": TOKEN}, "report_file: is missing; the command post publishes it"),
        ({"command": "post", "report_file": "x"}, "token: is missing; the command post writes with it"),
        ({"image": "a:1"}, "image: goes with the command bump, not with diff"),
        ({"report_file": "x"}, "report_file: goes with the command post, not with diff"),
        ({"command": "post", "token": TOKEN, "report_file": "x", "fail_on": "warning"},
         "fail_on: goes with the command diff, not with post"),
        ({"command": "bump", "comment_key": "x"}, "comment_key: goes with the commands diff, post, not with bump"),
        ({"command": "promote", "to": "a", "apps": "x"}, "apps: goes with the command diff, not with promote"),
        ({"command": "post", "token": TOKEN, "report_file": "x", "dry_run": "true"},
         "dry_run: goes with the commands bump, promote, rollback, not with post"),
        ({"command": "bump", "image": "a:1\nb:2", "digest": "sha256:x"}, "digest: needs a line for each image: 1 for 2"),
        ({"command": "bump", "digest": "sha256:x"}, "digest: needs a line for each image: 1 for 0"),
        ({"command": "bump", "file": "x", "path": "a\nb", "value": "1"}, "value: needs a line for each path: 1 for 2"),
        ({"command": "bump", "file": "x\ny\nz", "path": "a\nb", "value": "1\n2"},
         "file: needs one line, or one for each path: 3 for 2"),
        ({"command": "bump", "path": "a", "value": "1"}, "file: needs one line, or one for each path: 0 for 1"),
        ({"command": "bump", "file": "x"}, "path: is missing; file, path and value go together"),
        ({"command": "bump", "model_version": "1"},
         "model: is missing; its version, path, data, run and metrics go with it"),
        ({"command": "bump", "alias": "a"},
         "from_mlflow and model: are missing; from_mlflow, alias and model go together"),
        ({"command": "bump", "model": "m", "from_mlflow": "https://x.example"},
         "alias: is missing; from_mlflow, alias and model go together"),
        ({"command": "bump", "model": "m", "from_mlflow": "https://x.example", "alias": "a", "data_version": "1"},
         "from_mlflow: tells version, path, data, run and metrics of the model; leave those out"),
        ({"from_mlflow": "https://x.example"}, "from_mlflow: goes with the command bump, not with diff"),
        ({"command": "bump", "model": "a\nb"}, "model: has a control character or several lines"),
        ({"command": "bump", "mode": "force"},
         "mode: there is no 'force' (there are auto, api, push, pull-request)"),
        ({"command": "bump", "repository": "https://github.com/acme/x"}, "repository: is not OWNER/NAME"),
        ({"command": "bump", "branch": "-x"}, "branch: is no branch, tag or commit"),
        ({"command": "bump", "model": "m", "metrics": "../x"}, "metrics: leads upwards"),
        ({"command": "promote"}, "to: is missing; it names the environment that gets something"),
        ({"command": "rollback"}, "environment: is missing; it names what is rolled back"),
        ({"command": "promote", "to": "a", "level": "huge"}, "level: there is no 'huge' (there are patch, minor, major)"),
        ({"command": "promote", "to": "a", "why": "x"}, "why: goes with the command rollback, not with promote"),
        ({"command": "rollback", "environment": "a", "from": "x"}, "from: goes with the command promote, not with rollback"),
        ({"command": "bump", "to": "a"}, "to: goes with the command promote, not with bump"),
        ({"command": "rollback", "environment": "a", "to_revision": "v1", "last_healthy": "true"},
         "last_healthy: is another state than to_revision; give one of them"),
        ({"command": "promote", "to": "a", "after_merge": "true", "dry_run": "true"},
         "after_merge: tags what was merged and changes nothing; give it without the others"),
        ({"command": "rollback", "environment": "a", "to_revision": "--x"}, "to_revision: is no branch, tag or commit"),
        ({"fail-on": "warning"}, "'fail-on': there is no such input; did you mean fail_on?"),
        ({"comment_keys": "x"}, "'comment_keys': there is no such input; did you mean comment_key?"),
    ],
)  # fmt: skip
def test_problems(given, expected):
    assert problems(**given) == [expected]


def test_every_problem_is_told_at_once_and_in_order():
    with pytest.raises(UsageError) as caught:
        read(command="bumb", offline="x", head="-x", fail_on="a,b")
    assert caught.value.message.splitlines() == [
        "5 inputs of the Action are wrong",
        "  command: there is no 'bumb' (there are diff, post, bump, promote, rollback)",
        "  fail_on: there is no severity 'a' (there are error, warning, info)",
        "  fail_on: there is no severity 'b' (there are error, warning, info)",
        "  head: is no branch, tag or commit",
        "  offline: must be true or false",
    ]
    assert "action.md" in caught.value.hint


def test_variables_that_only_begin_alike_are_somebody_elses():
    assert read_inputs({"INPUT_FOLDER": "x", "INPUT_": "y", "INPUT_MY-OWN": "z"}) == Inputs()


# -- secrets -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {"token": f"{TOKEN} {TOKEN}"},
        {"token": f"{TOKEN}\x07"},
        {"app_id": "1", "app_private_key": f"{BODY}\n{TOKEN}"},
        {"app_private_key": KEY.replace("MII", f"{TOKEN}")},
        {"token": TOKEN, "app_private_key": KEY, "offline": "x"},
        {"fetch_credentials": f"canary: {TOKEN}"},
        {"fetch_credentials": f'[{{"url": "https://x.example", "canary": "{TOKEN}"}}'},
        {"fetch_credentials": f"- {{url: 'https://canary:{TOKEN}@x.example', password: {TOKEN}}}"},
    ],
)
def test_no_message_shows_a_secret(given):
    with pytest.raises(UsageError) as caught:
        read(**given)
    told = f"{caught.value!r} {caught.value.told}"
    assert TOKEN not in told
    assert "canary" not in told


def test_inputs_can_be_printed_without_their_secrets():
    shown = f"{read(token=TOKEN, app_id='1', app_private_key=KEY, fetch_credentials=LOGINS)!r}"
    assert TOKEN not in shown
    assert "canary" not in shown
    assert "token=…" in shown
    assert "app_id='1'" in shown
    assert "token=''" in repr(Inputs())


def test_the_secrets_among_the_inputs_are_marked():
    assert {each.variable for each in INPUTS if each.secret} == SECRETS


def test_secrets_are_known_before_anything_is_checked():
    one_line = KEY.replace("\n", "\\n")
    given = environment(token=f"{TOKEN} x", app_private_key=one_line, app_id="1")
    assert set(secret_values(given)) == {f"{TOKEN} x", one_line, KEY}
    assert secret_values({}) == secret_values(environment(token=" ")) == ()


@given(st.dictionaries(st.sampled_from([each.variable for each in INPUTS]), st.text(max_size=60)))
def test_any_environment_gives_inputs_or_one_error(environ):
    try:
        found = read_inputs(environ)
    except UsageError as error:
        message = error.message
    else:
        message = ""
        assert not found.base.startswith("-")
        assert ".." not in found.working_directory.split("/")
        assert re.fullmatch(r"[A-Za-z0-9._/-]{1,64}", found.comment_key)
    told = " ".join(value for name, value in environ.items() if name not in SECRETS)
    for value in secret_values(environ):
        assert len(value) < 8 or value in told or value not in message
