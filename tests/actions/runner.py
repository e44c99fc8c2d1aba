"""The runner's side, written anew from its documented behaviour: what it reads out of a log, and out of its files.

The real one searches a line by the rules of its language, for which combining and format characters may not be there.
So a log is read twice: as it stands, and with all of those overlooked, which finds more commands than the real one.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

KNOWN = {
    "add-mask", "add-matcher", "add-path", "debug", "echo", "endgroup", "error", "group", "notice", "remove-matcher",
    "save-state", "set-env", "set-output", "stop-commands", "warning",
}  # fmt: skip


class Command(NamedTuple):
    name: str
    properties: dict[str, str]
    data: str


class Log(NamedTuple):
    commands: list[Command]
    """Those that were carried out, without stop-commands and its end."""
    lines: list[str]
    """What is shown."""
    masks: list[str]


def read_log(output: str, *, overlooking: bool = False) -> Log:
    """Read a container's output line by line, as a stream reader breaks lines: at LF, CR and CRLF."""
    log, stopped = Log([], [], []), None
    for line in re.split(r"\r\n|\r|\n", output):
        command = _command(seen(line) if overlooking else line, stopped)
        if stopped is not None:
            if command is not None and command.name.lower() == stopped.lower():
                stopped = None
            elif line:
                log.lines.append(line)
        elif command is None:
            if line:
                log.lines.append(line)
        elif command.name == "stop-commands":
            assert command.data, "an empty token would stop for good"
            stopped = command.data
        elif command.name == "add-mask":
            assert command.data.strip(), "the runner warns about an empty mask"
            log.masks.append(command.data)
        else:
            log.commands.append(command)
    assert stopped is None, "commands were never read again"
    return log


def seen(line: str) -> str:
    """The line without what a search by language may overlook."""
    return "".join(sign for sign in line if unicodedata.category(sign) not in ("Mn", "Me", "Cf", "Cc") or sign == "\t")


def _command(line: str, token: str | None) -> Command | None:
    return _double_colon(line, token) or _hash_bracket(line, token)


def _double_colon(line: str, token: str | None) -> Command | None:
    text = line.lstrip()
    if not text.startswith("::") or (end := text.find("::", 2)) < 0:
        return None
    if not text[end + 2 : end + 3].isascii():
        return None  # a sign that combines with the colon would hide it: then only the older form is searched for
    name, _, rest = text[2:end].partition(" ")
    if not _is_known(name, token):
        return None
    pairs = (pair.split("=", 1) for pair in rest.strip().split(",") if "=" in pair)
    properties = {key: _unescaped(value, {"%3A": ":", "%2C": ","}) for key, value in pairs if value}
    return Command(name.lower(), properties, _unescaped(text[end + 2 :], {}))


def _hash_bracket(line: str, token: str | None) -> Command | None:
    start = line.find("##[")
    end = line.find("]", start)
    if start < 0 or end < 0:
        return None
    name = line[start + 3 : end].partition(" ")[0]
    return Command(name.lower(), {}, line[end + 1 :]) if _is_known(name, token) else None


def _is_known(name: str, token: str | None) -> bool:
    return name.lower() in KNOWN or (token is not None and name.lower() == token.lower())


def _unescaped(text: str, more: dict[str, str]) -> str:
    for escaped, sign in ({"%0D": "\r", "%0A": "\n"} | more | {"%25": "%"}).items():
        text = text.replace(escaped, sign)
    return text


def read_file_command(text: str) -> dict[str, str]:
    """Read a file of outputs: ``name=value`` lines and ``name<<delimiter`` blocks; a later name wins."""
    found: dict[str, str] = {}
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if not line:
            continue
        equals, block = line.find("="), line.find("<<")
        if equals >= 0 and (block < 0 or equals < block):
            found[line[:equals]] = line[equals + 1 :]
            continue
        assert block > 0, f"invalid format {line!r}"
        name, end = line.split("<<", 1)
        assert end, "empty delimiter"
        value = []
        while True:
            assert at < len(lines), f"matching delimiter not found {end!r}"
            if lines[at] == end:
                break
            value.append(lines[at])
            at += 1
        at += 1
        found[name] = "\n".join(value)
    return found
