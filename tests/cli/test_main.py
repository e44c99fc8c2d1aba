"""The command line as a shell sees it: exit codes, messages, signals, and a help that imports nothing heavy."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from gitops_bot.cli import main

HEAVY = {"rich", "jinja2", "yaml", "deepdiff", "requests", "github", "jq", "msgspec", "gitops_bot.doors.process"}


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gitops_bot", *arguments],
        env={**os.environ, **environ}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def run_code(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the program with a command ``try`` whose body is ``code``."""
    module = f"import sys\nimport click\n@click.command('try')\ndef command():\n{code}\n"
    starter = (
        "import sys, types; from gitops_bot.cli import main\n"
        f"made = types.ModuleType('trial'); exec({module!r}, made.__dict__)\n"
        "sys.modules['trial'] = made; main.COMMANDS['try'] = ('trial', '')\n"
        "main.main(['try'])"
    )
    return subprocess.run(
        [sys.executable, "-c", starter], env={**os.environ, **environ}, capture_output=True, text=True, check=False
    )


def test_help_imports_nothing_heavy():
    code = (
        "import sys, json; from gitops_bot.cli.main import run; run(['--help']); print(json.dumps(sorted(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(ended.stdout.splitlines()[-1]))
    assert "gitops_bot.cli.main" in loaded
    assert loaded & HEAVY == set()
    assert {name for name in loaded if name.startswith("gitops_bot.cli.")} == {
        "gitops_bot.cli.main",
        "gitops_bot.cli.lazy",
    }


def test_help_lists_every_command_with_its_line():
    out = run("--help").stdout
    for name, (_, line) in main.COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(line)}$", out, re.MULTILINE)


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_command_exists_and_explains_itself(name):
    command = importlib.import_module(main.COMMANDS[name][0]).command
    assert isinstance(command, click.Command)
    assert command.name == name
    assert command.help


def test_every_command_module_is_in_the_table():
    folder = Path(main.__file__).parent
    modules = {f"gitops_bot.cli.{path.stem}" for path in folder.glob("*.py")} | {"gitops_bot.cli.agent.group"}
    commands = {name for name in modules if hasattr(importlib.import_module(name), "command")}
    assert commands == {module for module, _ in main.COMMANDS.values()}


def test_version_is_said_in_two_ways():
    assert run("--version").stdout == run("version").stdout
    assert re.fullmatch(r"gitops-bot \d+\.\d+\.\d+\n", run("version").stdout)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dif"], "did you mean 'diff'?"),
        (["zzz"], "there is no command 'zzz'"),
        (["--nonsense"], "--nonsense"),
        (["tools", "install", "--from", "nowhere"], "nowhere"),
    ],
)
def test_wrong_usage_ends_with_2_and_one_screen(arguments, message):
    ended = run(*arguments)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr


def test_an_error_of_ours_is_a_message_a_next_step_and_its_code():
    ended = run_code("    from gitops_bot.errors import ToolError\n    raise ToolError('no helm', hint='install it')")
    assert (ended.returncode, ended.stdout) == (4, "")
    assert ended.stderr == "error: no helm\nnext: install it\n"


def test_a_mistake_of_ours_names_its_place_and_not_its_words():
    ended = run_code("    raise ValueError('password is hunter2')")
    assert ended.returncode == 70
    assert re.search(r"ValueError in \S+:\d+ command", ended.stderr)
    assert "hunter2" not in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("raised", ["ValueError('x')", "__import__('gitops_bot.errors').errors.GitError('x')"])
def test_debugging_shows_the_traceback(raised):
    assert "Traceback" in run_code(f"    raise {raised}", GITOPS_BOT_DEBUG="1").stderr


def test_a_commands_number_is_the_exit_code():
    assert run_code("    return 3").returncode == 3
    assert run_code("    sys.exit(3)").returncode == 3
    assert run_code("    click.get_current_context().exit(3)").returncode == 3
    assert run_code("    return None").returncode == 0


def test_a_reader_that_goes_away_is_no_error():
    code = "import sys; sys.argv = ['x', '--help']; from gitops_bot.cli import main; main.main()"
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        ended = subprocess.run([sys.executable, "-c", code], stdout=closed, stderr=subprocess.PIPE, check=False)
    assert ended.returncode == 141
    assert ended.stderr == b""


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
@pytest.mark.parametrize("where", ["main", "threads"])
def test_a_signal_ends_the_children_and_runs_every_finally(tmp_path, sent, code, where):
    """The program waits for a child that would run for an hour, in its main thread or in workers with more queued."""
    pids, cleaned = tmp_path / "pids", tmp_path / "cleaned"
    call = (
        f"process.run(['sh', '-c', 'echo $$ >> {pids}; exec sleep 3600'], cwd='/', env=dict(os.environ), network=True)"
    )
    work = {
        "main": f"    {call}",
        "threads": f"    with ThreadPoolExecutor(2) as pool:\n            list(pool.map(lambda _: {call}, range(9)))",
    }[where]
    body = (
        "    import os, pathlib\n    from concurrent.futures import ThreadPoolExecutor\n"
        "    from gitops_bot.doors import process\n    try:\n"
        f"    {work}\n    finally:\n        pathlib.Path({str(cleaned)!r}).touch()"
    )
    module = f"import click\n@click.command('try')\ndef command():\n{body}\n"
    starter = (
        "import sys, types; from gitops_bot.cli import main\n"
        f"made = types.ModuleType('trial'); exec({module!r}, made.__dict__)\n"
        "sys.modules['trial'] = made; main.COMMANDS['try'] = ('trial', '')\nmain.main(['try'])"
    )
    wanted = 1 if where == "main" else 2
    heard = {"preexec_fn": lambda: signal.signal(sent, signal.SIG_DFL)}  # also where the tests run under nohup
    with subprocess.Popen([sys.executable, "-c", starter], stderr=subprocess.PIPE, text=True, **heard) as program:
        try:
            deadline = time.monotonic() + 20
            while not (pids.exists() and len(pids.read_text().split()) >= wanted):
                assert time.monotonic() < deadline, "the children never started"
                assert program.poll() is None, "the program ended by itself"
                time.sleep(0.01)
            program.send_signal(sent)
            _, stderr = program.communicate(timeout=20)
        finally:
            program.kill()
            survivors = [pid for pid in map(int, pids.read_text().split()) if not _dies(pid)]
    assert program.returncode == code, stderr
    assert survivors == []
    assert cleaned.exists()
    assert "Traceback" not in stderr


@pytest.mark.parametrize(
    ("given", "then", "code"), [("SIG_IGN", "0", 0), ("SIG_DFL", "all(not time.sleep(0.01) for _ in range(6000))", 129)]
)
def test_a_signal_that_whoever_started_us_ignores_is_ignored(given, then, code):
    program = (
        "import os, signal, time; from gitops_bot.cli import main\n"
        f"def run(args):\n    os.kill(os.getpid(), signal.SIGHUP)\n    return {then}\n"
        "main.run = run\nmain.main([])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=90, check=False,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, getattr(signal, given)),
    )  # fmt: skip
    assert ended.returncode == code, ended.stderr


def test_a_signal_while_a_program_is_started_leaves_none_behind(tmp_path):
    """It comes when the program runs and nobody knows of it yet."""
    pids = tmp_path / "pids"
    code = (
        "import os, signal, subprocess, time; from gitops_bot.cli import main; from gitops_bot.doors import process\n"
        "real = subprocess.Popen.__init__\n"
        "def started(self, *given, **named):\n"
        "    real(self, *given, **named)\n"
        f"    while not os.path.exists({str(pids)!r}): time.sleep(0.01)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "subprocess.Popen.__init__ = started\n"
        f"argv = ['sh', '-c', 'echo $$ > {pids}.new; mv {pids}.new {pids}; exec sleep 3600']\n"
        "main.run = lambda args: process.run(argv, cwd='/', env=dict(os.environ), network=True).code\nmain.main([])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 143, ended.stderr
    assert _dies(int(pids.read_text()))


def _dies(pid: int) -> bool:
    """Whether a process is dead or soon will be; what still lives after ten seconds is killed."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
            if (
                Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
            ):  # nobody has asked for its code yet
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    return False
