"""The Action's inputs, read from the environment; ``input_table`` has their names, defaults and meanings.

The runner hands an input over as ``INPUT_<NAME IN CAPITALS>``, and ``runs.env`` of action.yml maps each one to the same
name: the runner's own variable stands where there are both, and they are equal. Every input has a default, so a
variable of that name in a job's ``env`` never stands in for one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Literal, TypeVar, cast, get_args

import msgspec

from gitops_bot.actions import fetch_credentials, names
from gitops_bot.actions.input_table import INPUTS
from gitops_bot.doors.credentials import Credentials
from gitops_bot.errors import UsageError
from gitops_bot.model.signal import SEVERITIES, Severity

Command = Literal["diff", "post", "bump", "promote", "rollback"]
Comment = Literal["auto", "never"]
Mode = Literal["", "auto", "api", "push", "pull-request"]
Level = Literal["", "patch", "minor", "major"]


OF_DIFF = ("comment", "comment_key", "apps", "fail_on", "base", "head", "report_directory")
"""Inputs that a comparison looks at, and not everybody."""
OF_POST = ("comment", "comment_key", "report_file")
OF_BUMP = (
    "image", "digest", "file", "path", "value", "model", "model_version", "model_path", "data_version", "run_url",
    "metrics", "from_mlflow", "alias", "environment", "repository", "branch", "mode", "allow_downgrade", "create",
    "dry_run",
)  # fmt: skip
OF_PROMOTE = ("repository", "dry_run", "to", "from", "level", "after_merge", "allow_downgrade")
OF_ROLLBACK = (
    "environment", "repository", "branch", "mode", "dry_run", "after_merge", "to_revision", "last_healthy", "why",
    "until",
)  # fmt: skip
_OF: dict[Command, tuple[str, ...]] = {
    "diff": OF_DIFF,
    "post": OF_POST,
    "bump": OF_BUMP,
    "promote": OF_PROMOTE,
    "rollback": OF_ROLLBACK,
}

_BY_NAME = {each.name: each for each in INPUTS}
_KEY = re.compile(r"[A-Za-z0-9._/-]{1,64}")
_APP = re.compile(r"[A-Za-z0-9.]{1,64}")
_TOKEN = re.compile(r"[!-~]{1,4096}")
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n.+\n-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)
_UNSEEN = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_Choice = TypeVar("_Choice")


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """What the step was given; see ``INPUTS`` for the meanings."""

    command: Command = "diff"
    token: str = ""
    """``""`` where there is none: nothing can be asked of the API, and nothing written."""
    app_id: str = ""
    """``""`` where no App is used."""
    app_private_key: str = ""
    """PEM with line feeds."""
    app_installation_id: int | None = None
    comment: Comment = "auto"
    comment_key: str = "default"
    apps: tuple[str, ...] = ()
    fail_on: tuple[Severity, ...] = ()
    """Beside those of the settings; worst first."""
    base: str = ""
    head: str = ""
    working_directory: str = "."
    """As given: ``actions.environment.place`` says where it is."""
    cache: str = ""
    offline: bool = False
    fetch_credentials: Credentials | None = None
    """None: those that the environment names, as on the command line."""
    report_directory: str = "gitops-bot-report"
    report_file: str = ""
    allow_untrusted_head: bool = False
    image: tuple[str, ...] = ()
    digest: tuple[str, ...] = ()
    """None, or one for each image."""
    file: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    value: tuple[str, ...] = ()
    model: str = ""
    model_version: str = ""
    model_path: str = ""
    data_version: str = ""
    run_url: str = ""
    metrics: str = ""
    """Path of a file, as given."""
    from_mlflow: str = ""
    """URL, as given."""
    alias: str = ""
    environment: str = ""
    repository: str = ""
    """``owner/name``, ``""`` for the workflow's own."""
    branch: str = ""
    mode: Mode = ""
    """``""``: as the settings say."""
    allow_downgrade: bool = False
    create: bool = False
    dry_run: bool = False
    to: str = ""
    from_: str = ""
    """``""``: as the settings say."""
    level: Level = ""
    """``""``: as the settings say."""
    after_merge: bool = False
    to_revision: str = ""
    last_healthy: bool = False
    why: str = ""
    until: str = ""

    def __repr__(self) -> str:
        """Everything but the secrets."""
        shown = (
            f"{each.name}={'…' if each.secret and getattr(self, each.field) else repr(getattr(self, each.field))}"
            for each in INPUTS
        )
        return f"Inputs({', '.join(shown)})"


def secret_values(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The secrets among the inputs as they came, to be masked before anything else is done or said."""
    found = {each.name: environ.get(each.variable, "") for each in INPUTS if each.secret}
    logins = fetch_credentials.secrets_in(found.pop("fetch_credentials"))
    whole = (form for value in found.values() if value.strip() for form in (value, _key_of(value)))
    return tuple(dict.fromkeys((*whole, *logins)))


def read_inputs(environ: Mapping[str, str]) -> Inputs:
    """The inputs in an environment, the defaults for those that are missing or empty.

    Raises UsageError that lists every problem; it shows no secret.
    """
    reader = _Reader(environ)
    inputs = Inputs(
        command=reader.choice("command", get_args(Command)),
        token=reader.matching("token", _TOKEN, "is no token"),
        app_id=reader.matching("app_id", _APP, "is no id of a GitHub App"),
        app_private_key=reader.key("app_private_key"),
        app_installation_id=reader.number("app_installation_id"),
        comment=reader.choice("comment", get_args(Comment)),
        comment_key=reader.matching(
            "comment_key", _KEY, "may have letters, digits, dots, dashes, slashes and underscores, at most 64"
        ),
        apps=reader.lines("apps"),
        fail_on=reader.severities("fail_on"),
        base=reader.revision("base"),
        head=reader.revision("head"),
        working_directory=reader.path("working_directory"),
        cache=reader.path("cache"),
        offline=reader.flag("offline"),
        fetch_credentials=reader.logins("fetch_credentials"),
        report_directory=reader.path("report_directory"),
        report_file=reader.path("report_file"),
        allow_untrusted_head=reader.flag("allow_untrusted_head"),
        image=reader.lines("image"),
        digest=reader.lines("digest"),
        file=reader.lines("file"),
        path=reader.lines("path"),
        value=reader.lines("value"),
        model=reader.line("model"),
        model_version=reader.line("model_version"),
        model_path=reader.line("model_path"),
        data_version=reader.line("data_version"),
        run_url=reader.line("run_url"),
        metrics=reader.path("metrics"),
        from_mlflow=reader.line("from_mlflow"),
        alias=reader.line("alias"),
        environment=reader.line("environment"),
        repository=reader.matching("repository", names.REPOSITORY, "is not OWNER/NAME"),
        branch=reader.revision("branch"),
        mode=reader.mode("mode"),
        allow_downgrade=reader.flag("allow_downgrade"),
        create=reader.flag("create"),
        dry_run=reader.flag("dry_run"),
        to=reader.line("to"),
        from_=reader.line("from"),
        level=reader.level("level"),
        after_merge=reader.flag("after_merge"),
        to_revision=reader.revision("to_revision"),
        last_healthy=reader.flag("last_healthy"),
        why=reader.line("why"),
        until=reader.line("until"),
    )
    found = [*reader.problems, *_contradictions(inputs), *_misspelled(environ)]
    if found:
        title = "an input of the Action is wrong" if len(found) == 1 else f"{len(found)} inputs of the Action are wrong"
        raise UsageError("\n".join([title, *(f"  {each}" for each in found)]), hint="see docs/reference/action.md")
    return inputs


class _Reader:
    """Reads one input after the other and gathers what is wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def text(self, name: str) -> str:
        """The value without white space around it, else the default."""
        default = _BY_NAME[name].default
        return self._environ.get(_BY_NAME[name].variable, "").strip() or ("" if default.startswith("${{") else default)

    def wrong(self, name: str, what: str) -> None:
        self.problems.append(f"{name}: {what}")

    def choice(self, name: str, known: tuple[_Choice, ...]) -> _Choice:
        value = self.text(name)
        if value not in known:
            self.wrong(name, f"there is no {_quoted(value)} (there are {', '.join(map(str, known))})")
            return known[0]
        return cast("_Choice", value)

    def flag(self, name: str) -> bool:
        value = self.text(name).lower()
        if value not in ("true", "false"):
            self.wrong(name, "must be true or false")
        return value == "true"

    def number(self, name: str) -> int | None:
        value = self.text(name)
        if re.fullmatch(r"[1-9][0-9]{0,15}", value, re.ASCII):
            return int(value)
        if value:
            self.wrong(name, "is no number")
        return None

    def matching(self, name: str, pattern: re.Pattern[str], otherwise: str) -> str:
        value = self.text(name)
        if value and not pattern.fullmatch(value):
            self.wrong(name, otherwise)
        return value

    def key(self, name: str) -> str:
        value = _key_of(self.text(name))
        if value and not _PEM.fullmatch(value):
            self.wrong(name, "is no private key in PEM form")
        return value

    def logins(self, name: str) -> Credentials | None:
        found, problems = fetch_credentials.read(self.text(name))
        for each in problems:
            self.wrong(name, each)
        return found

    def lines(self, name: str) -> tuple[str, ...]:
        found = tuple(line.strip() for line in self.text(name).splitlines() if line.strip())
        if any(_UNSEEN.search(line) for line in found):
            self.wrong(name, "has a control character")
        return found

    def line(self, name: str) -> str:
        value = self.text(name)
        if _UNSEEN.search(value):
            self.wrong(name, "has a control character or several lines")
        return value

    def mode(self, name: str) -> Mode:
        return self.choice(name, get_args(Mode)[1:]) if self.text(name) else ""

    def level(self, name: str) -> Level:
        return self.choice(name, get_args(Level)[1:]) if self.text(name) else ""

    def severities(self, name: str) -> tuple[Severity, ...]:
        given = re.split(r"[\s,]+", self.text(name))
        for word in dict.fromkeys(given):
            if word and word not in SEVERITIES:
                self.wrong(name, f"there is no severity {_quoted(word)} (there are {', '.join(SEVERITIES)})")
        return tuple(severity for severity in SEVERITIES if severity in given)

    def revision(self, name: str) -> str:
        value = self.text(name)
        if value and not names.is_ref(value):
            self.wrong(name, "is no branch, tag or commit")
        return value

    def path(self, name: str) -> str:
        value = self.text(name)
        if _UNSEEN.search(value):
            self.wrong(name, "has a control character")
        if ".." in value.split("/"):
            self.wrong(name, "leads upwards")
        return value


def _key_of(value: str) -> str:
    """A PEM key with line feeds, also where a backslash and an n stand for each."""
    return value.strip().replace("\\n", "\n").replace("\r\n", "\n")


def _contradictions(inputs: Inputs) -> list[str]:
    """What each input alone does not say."""
    found = []
    if bool(inputs.app_id) != bool(inputs.app_private_key):
        missing = "app_private_key" if inputs.app_id else "app_id"
        found.append(f"{missing}: is missing; app_id and app_private_key go together")
    if inputs.app_installation_id is not None and not inputs.app_id:
        found.append("app_installation_id: goes with app_id and app_private_key")
    if inputs.command == "post" and not inputs.report_file:
        found.append("report_file: is missing; the command post publishes it")
    if inputs.command == "post" and not (inputs.token or inputs.app_id):
        found.append("token: is missing; the command post writes with it")
    found += _of_others(inputs)
    return found + (_of_bump(inputs) if inputs.command == "bump" else _of_moves(inputs))


def _of_others(inputs: Inputs) -> list[str]:
    """What only other commands than the one that was given look at."""
    default, own, found = Inputs(), _OF.get(inputs.command, ()), []
    for each in INPUTS:
        commands = [command for command, names in _OF.items() if each.name in names]
        if commands and each.name not in own and getattr(inputs, each.field) != getattr(default, each.field):
            several = "the command" if len(commands) == 1 else "the commands"
            found.append(f"{each.name}: goes with {several} {', '.join(commands)}, not with {inputs.command}")
    return found


def _of_moves(inputs: Inputs) -> list[str]:
    """What is missing of a promotion or a rollback, and what does not go together."""
    found = []
    if inputs.command == "promote" and not inputs.to:
        found.append("to: is missing; it names the environment that gets something")
    if inputs.command == "rollback" and not inputs.environment:
        found.append("environment: is missing; it names what is rolled back")
    if inputs.to_revision and inputs.last_healthy:
        found.append("last_healthy: is another state than to_revision; give one of them")
    if inputs.after_merge and (inputs.dry_run or inputs.to_revision or inputs.last_healthy):
        found.append("after_merge: tags what was merged and changes nothing; give it without the others")
    return found


def _of_bump(inputs: Inputs) -> list[str]:
    """Lines that do not belong together.

    One line too few would give the digest of one image to another.
    """
    found = []
    if inputs.digest and len(inputs.digest) != len(inputs.image):
        found.append(f"digest: needs a line for each image: {len(inputs.digest)} for {len(inputs.image)}")
    if len(inputs.value) != len(inputs.path):
        found.append(f"value: needs a line for each path: {len(inputs.value)} for {len(inputs.path)}")
    if inputs.path and len(inputs.file) not in (1, len(inputs.path)):
        found.append(f"file: needs one line, or one for each path: {len(inputs.file)} for {len(inputs.path)}")
    if inputs.file and not inputs.path:
        found.append("path: is missing; file, path and value go together")
    of_model = (inputs.model_version, inputs.model_path, inputs.data_version, inputs.run_url, inputs.metrics)
    asked = bool(inputs.from_mlflow or inputs.alias)
    if any(of_model) and not inputs.model and not asked:
        found.append("model: is missing; its version, path, data, run and metrics go with it")
    if asked and not (inputs.from_mlflow and inputs.alias and inputs.model):
        missing = [name for name in ("from_mlflow", "alias", "model") if not getattr(inputs, name)]
        verb = "is" if len(missing) == 1 else "are"
        found.append(f"{' and '.join(missing)}: {verb} missing; from_mlflow, alias and model go together")
    if asked and any(of_model):
        found.append("from_mlflow: tells version, path, data, run and metrics of the model; leave those out")
    return found


def _misspelled(environ: Mapping[str, str]) -> list[str]:
    """Inputs that almost have a name of ours: a `fail-on` that did nothing would be a check that never fails.

    Other variables that begin with ``INPUT_`` may be anybody's own.
    """
    given = sorted(key.removeprefix("INPUT_").lower() for key in environ if key.startswith("INPUT_"))
    found = []
    for name in given:
        if name not in _BY_NAME:
            near = get_close_matches(name.replace("-", "_"), _BY_NAME, n=1, cutoff=0.85)
            found += [f"{_quoted(name)}: there is no such input; did you mean {each}?" for each in near]
    return found


def _quoted(text: str) -> str:
    """A short foreign text for a message."""
    return repr(text if len(text) <= 40 else f"{text[:39]}…")
