import io
import itertools
import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gitops_bot.actions.commands import (
    SHORTEST_MASK,
    Console,
    ConsoleHandler,
    escape_data,
    escape_property,
    masks,
)
from gitops_bot.text.escape import visible_lines
from tests.actions.runner import Command, Log, read_log

HOSTILE = [
    "::error::x", "::set-output name=changed::false", "  ::add-mask::a", "\t::warning::x", "##[add-mask]e", "text ##[error]x",
    "##[set-env name=PATH]/tmp", "a\r::error::x", "a\n::error::x", "a\r\n::error::x", "::stop-commands::x", "::x::",
    "\u200b::error::x", ":\u200b:error::x", "##\u200b[error]x", "#\ufe0f#\ufe0f[error]x", "\u0301 ##[add-mask]x", "\x85::error::x",
    "\u2028::error::x", "\x0b::error::x", "\x1b[31m::error::x", "::ERROR::x", "\ufeff::error::x", "%0A::error::x", "\x00", "",
    "::", "::::", "\ud800::error::x", "::add-mask::", "x ##[\u0301error]",
]  # fmt: skip

TEXT = st.text(max_size=40) | st.sampled_from(HOSTILE) | st.lists(st.sampled_from(HOSTILE)).map("\n".join)
BITS = "0123456789abcdef" * 2


def log_of(write, **more) -> Log:
    """What the runner reads; both ways of reading have to find the same commands."""
    stream = io.StringIO()
    write(Console(stream, **more))
    log, eager = read_log(stream.getvalue()), read_log(stream.getvalue(), overlooking=True)
    assert [command.name for command in eager.commands] == [command.name for command in log.commands]
    assert (eager.lines, len(eager.masks)) == (log.lines, len(log.masks))
    return log


@given(st.text())
@example("%250A\r\n,:%25%")
@example(":::,%3A%2C")
def test_whatever_is_escaped_the_runner_reads_back(text):
    escaped, as_property = escape_data(text), escape_property(text)
    assert not set("\r\n") & set(escaped)
    assert not set("\r\n:,") & set(as_property)
    (command,) = read_log(f"::error title=<{as_property}>::<{escaped}>").commands
    assert command == Command("error", {"title": f"<{text}>"}, f"<{text}>")


def shown(text: str) -> list[str]:
    return [line for line in visible_lines(text) if line]


@given(TEXT)
def test_foreign_text_never_becomes_a_command(text):
    assert log_of(lambda console: console.foreign(text)) == Log([], shown(text), [])


@given(TEXT)
def test_neither_does_a_line_of_ours_that_quotes_it(text):
    assert log_of(lambda console: console.say(text)) == Log([], shown(text), [])
    assert log_of(lambda console: console.say(f"for {text}")) == Log([], shown(f"for {text}"), [])


@given(TEXT, TEXT, TEXT, st.sampled_from(["error", "warning", "notice"]))
def test_an_annotation_is_one_command_and_nothing_more(message, title, file, level):
    log = log_of(lambda console: getattr(console, level)(message, title=title, file=file))
    assert (log.lines, log.masks) == ([], [])
    assert [command.name for command in log.commands] == [level]
    assert set(log.commands[0].properties) <= {"title", "file"}


@given(TEXT)
def test_a_groups_title_and_a_debug_line_are_one_command_too(text):
    def write(console):
        with console.group(text):
            console.debug(text)

    log = log_of(write)
    assert [command.name for command in log.commands] == ["group", "debug", "endgroup"]
    assert (log.lines, log.masks) == ([], [])


def test_an_annotation_reads_as_it_was_meant():
    def write(console):
        console.error("50% of it\nfails: a, b", title="x, y: z", file="k8s/a,b:c%.yaml")

    assert log_of(write) == Log(
        [Command("error", {"title": "x, y: z", "file": "k8s/a,b:c%.yaml"}, "50% of it\nfails: a, b")], [], []
    )


def test_the_plainest_lines_stay_plain():
    stream = io.StringIO()
    Console(stream).say("rendered 3 of 7 targets\nfoo::bar and [x] # y")
    assert stream.getvalue() == "rendered 3 of 7 targets\nfoo::bar and [x] # y\n"


def test_a_line_that_looks_like_a_command_is_shown_as_it_is():
    log = log_of(lambda console: console.say("see ##[error] there\n::error::x"))
    assert log.lines == ["see ##[error] there", "::error::x"]


def test_foreign_text_cannot_print_the_token_that_ends_its_silence():
    tokens = iter([BITS, BITS, "f" * 32])
    log = log_of(lambda console: console.foreign(f"::{BITS.upper()}::\n::error::x"), token=lambda: next(tokens))
    assert log.commands == []
    assert log.lines == [f"::{BITS.upper()}::", "::error::x"]


def test_tokens_have_128_bits_and_are_never_the_same():
    stream = io.StringIO()
    console = Console(stream)
    for _ in range(50):
        console.foreign("x")
    found = [
        line.removeprefix("::stop-commands::") for line in stream.getvalue().splitlines() if "stop-commands" in line
    ]
    assert len(set(found)) == 50
    assert {len(token) for token in found} == {32}


def test_a_token_that_is_taken_for_nothing_is_not_used():
    tokens = iter(["", "e" * 32])
    assert log_of(lambda console: console.foreign("x"), token=lambda: next(tokens)).lines == ["x"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["ghs_0123456789"], ("ghs_0123456789",)),
        (["", " ", "\n", "a", "abc", " abc \n"], ()),
        (["abcd"], ("abcd",)),
        (
            ["-----BEGIN KEY-----\r\nMIIE\n  indented-line  \nxy\n-----END KEY-----\n"],
            ("-----BEGIN KEY-----", "MIIE", "indented-line", "-----END KEY-----"),
        ),
        (["same", "same"], ("same",)),
    ],
)
def test_masks(values, expected):
    assert masks(values) == expected


@given(st.lists(st.text()))
def test_no_mask_is_short_has_a_line_break_or_comes_from_nowhere(values):
    for mask in masks(values):
        assert len(mask) >= SHORTEST_MASK
        assert not set(mask) & set("\r\n")
        assert any(mask in value for value in values)


def test_secrets_are_masked_line_by_line():
    log = log_of(lambda console: console.mask("first%line\n  second: line\n\nabc", "token,with::signs"))
    assert log.masks == ["first%line", "second: line", "token,with::signs"]
    assert log.lines == []


def test_what_is_logged_becomes_debug_commands_and_lines():
    def write(console):
        logger = logging.getLogger("gitops_bot.a-logger-of-this-test")
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        logger.handlers = [ConsoleHandler(console)]
        logger.debug("ran %s", "##[add-mask]x\n::error::y")
        logger.warning("look at %s", "::error::y")

    log = log_of(write)
    assert log.commands == [Command("debug", {}, "D gitops_bot.a-logger-of-this-test: ran ##[add-mask]x\n::error::y")]
    assert log.lines == ["W gitops_bot.a-logger-of-this-test: look at ::error::y"]


def test_threads_do_not_tear_each_others_blocks():
    stream = io.StringIO()
    console = Console(stream)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(console.foreign, itertools.repeat("::error::x\n##[error]y", 200)))
    log = read_log(stream.getvalue())
    assert (log.commands, len(log.lines)) == ([], 400)


def test_each_line_is_out_before_the_next_thing_happens():
    code = (
        "import os, sys; from gitops_bot.actions.commands import Console\n"
        "console = Console(sys.stdout); console.mask('secret-one'); console.say('on \\ud800 the way'); os._exit(0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert read_log(ended.stdout).masks == ["secret-one"]
    assert read_log(ended.stdout).lines == ["on <U+D800> the way"]
