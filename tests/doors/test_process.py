"""The door to other programs lets nothing in, lets nothing run on, and keeps every limit."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from gitops_bot.doors.process import Conversation, Limits, network_guard, run

ENV = {"PATH": os.environ["PATH"]}


def python(code: str, tmp_path: Path, **options: object) -> tuple[int, bytes, str, str]:
    return run([sys.executable, "-c", code], cwd=str(tmp_path), env=ENV, **options)  # type: ignore[arg-type]


def test_output_error_and_code_come_back(tmp_path: Path) -> None:
    ended = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)", tmp_path)
    assert ended == (7, b"out\n", "err\n", "")


def test_nothing_is_inherited_from_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "ghs_secret")
    ended = python("import os; print(sorted(os.environ))", tmp_path)
    assert b"GITHUB_TOKEN" not in ended[1]


def test_input_larger_than_any_pipe_is_fed_while_output_is_read(tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    ended = python("import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())", tmp_path, stdin=data)
    assert ended[1] == data


def test_input_that_nobody_reads_is_no_error(tmp_path: Path) -> None:
    assert python("print('done')", tmp_path, stdin=b"x" * 3_000_000)[:2] == (0, b"done\n")


def test_a_program_that_never_ends_is_killed_with_its_children(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "open('child', 'w').write(str(child.pid))\n"
        "print('started', flush=True)\n"
        "time.sleep(600)\n"
    )
    ended = python(code, tmp_path, limits=Limits(seconds=2))
    assert ended[3] == "2 s"
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 10
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_endless_output_is_cut_off(tmp_path: Path) -> None:
    ended = python("while True: print('x' * 100000)", tmp_path, limits=Limits(output=1 << 20, seconds=60))
    assert ended[3] == "1 MiB of output"


def test_endless_error_output_keeps_its_end(tmp_path: Path) -> None:
    ended = python(
        "import sys\nfor _ in range(50): sys.stderr.write('x' * 10000)\nsys.stderr.write('the end')", tmp_path
    )
    assert ended[0] == 0
    assert len(ended[2]) == 64 * 1024
    assert ended[2].endswith("the end")


@pytest.mark.skipif(sys.platform != "linux", reason="memory limits of other processes are Linux's")
def test_a_program_that_eats_memory_fails_by_itself(tmp_path: Path) -> None:
    ended = python("x = bytearray(1 << 30)", tmp_path, limits=Limits(memory=512 << 20))
    assert ended[0] != 0
    assert "MemoryError" in ended[2]


def test_a_sealed_program_reaches_no_network_where_the_platform_can_say_so(tmp_path: Path) -> None:
    if not network_guard():
        pytest.skip("no network namespaces here (unshare --net is refused)")
    code = (
        "import socket\n"
        "server = socket.socket()\n"
        "try:\n    server.connect(('192.0.2.1', 80))\nexcept OSError as error:\n    print(error.errno)\n"
    )
    import errno

    assert python(code, tmp_path)[1].strip() == str(errno.ENETUNREACH).encode()


def test_a_missing_program_is_file_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run(["/no/such/program"], cwd=str(tmp_path), env=ENV, network=True)


def test_a_conversation_answers_in_turn_and_ends_with_its_block(tmp_path: Path) -> None:
    code = "import sys\nfor line in sys.stdin: print(line.strip().upper(), flush=True)"
    with Conversation([sys.executable, "-c", code], cwd=str(tmp_path), env=ENV) as talk:
        talk.write(b"one\n")
        assert talk.read_line() == b"ONE"
        talk.write(b"two\n")
        assert talk.poll_readable(10)
        assert talk.read(4) == b"TWO\n"
    with pytest.raises((ValueError, EOFError)):
        talk.read_line()
