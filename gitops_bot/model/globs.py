"""Globs as Argo CD reads them, as regular expressions."""

from __future__ import annotations

import re


def glob_expression(glob: str, *, anything: str) -> str:
    """A glob without ``**`` rules as a regular expression; ``anything`` is what ``?`` and each place of ``*`` match."""
    text, index, depth = "", 0, 0
    while index < len(glob):
        mark = glob[index]
        index += 1
        if mark == "*":
            text += f"{anything}*"
            index += len(glob[index:]) - len(glob[index:].lstrip("*"))
        elif mark == "?":
            text += anything
        elif mark == "\\" and index < len(glob):
            text += re.escape(glob[index])
            index += 1
        elif mark == "[" and "]" in glob[index + 1 :]:
            end = glob.index("]", index + 1)
            inside = glob[index:end].replace("\\", "\\\\").replace("[", "\\[")
            text += "[" + ("^" + inside[1:] if inside[0] in "!^" else inside) + "]"
            index = end + 1
        elif mark == "{" and "}" in glob[index:]:
            text, depth = text + "(?:", depth + 1
        elif mark == "," and depth:
            text += "|"
        elif mark == "}" and depth:
            text, depth = text + ")", depth - 1
        else:
            text += re.escape(mark)
    return text + ")" * depth
