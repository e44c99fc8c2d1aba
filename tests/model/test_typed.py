"""Types that many threads use first at once are read as by one thread; the crash was the whole process's."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "gitops_bot"
READING = """
import sys, threading
from gitops_bot.agent.application import state
sys.setswitchinterval(1e-6)
told = b'{"sync":{"status":"Synced"},"operationState":{"phase":"Succeeded","operation":{"sync":{}},"startedAt":"2026-01-01T00:00:00Z"}}'
begin, found = threading.Barrier(8), []
def read(number):
    begin.wait()
    found.append(state.unpack(told + b" " * number).sync.status)  # no two are the same text
threads = [threading.Thread(target=read, args=(number,)) for number in range(8)]
for each in threads:
    each.start()
for each in threads:
    each.join()
print(*found)
"""


@pytest.mark.parametrize("_attempt", range(6))
def test_eight_threads_read_a_type_that_none_has_read_before(_attempt):
    done = subprocess.run([sys.executable, "-c", READING], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["Synced"] * 8), done.stderr


def test_no_type_is_read_past_it():
    """The linter forbids ``convert`` and ``Decoder`` elsewhere; it cannot see an argument."""
    past = [
        f"{path.name}:{call.lineno}"
        for path in PACKAGE.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and ast.unparse(call.func).startswith(
            ("msgspec.json.decode", "msgspec.yaml.", "msgspec.toml.", "msgspec.msgpack.")
        )
        and any(each.arg == "type" for each in call.keywords)
        and path.name != "typed.py"
    ]
    assert not past
