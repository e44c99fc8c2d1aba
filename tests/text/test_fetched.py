"""The listing of what was fetched."""

from __future__ import annotations

from gitops_bot.model.fetched import Fetched
from gitops_bot.text.fetched import to_text

CHART = Fetched("chart", "https://charts.example.org/", "app", "^1.0", "1.10.2", "sha256:ab", "network")
GIT = Fetched("git", "https://github.com/acme/base", "", "", "HEAD", "0123", "cache")


def test_a_table_then_failures_then_counts() -> None:
    assert to_text([CHART, GIT], ["https://evil.example is not allowed"]) == (
        "KIND   SOURCE                          WANTED  IS      DIGEST\n"
        "chart  https://charts.example.org/app  ^1.0    1.10.2  sha256:ab\n"
        "git    https://github.com/acme/base    -       HEAD    0123\n"
        "\n"
        "Could not be fetched:\n"
        "  https://evil.example is not allowed\n"
        "\n"
        "1 fetched, 1 in the cache already, 1 failed.\n"
    )


def test_nothing_is_one_line() -> None:
    assert to_text([], []) == "0 fetched, 0 in the cache already.\n"


def test_what_a_server_says_cannot_move_the_cursor() -> None:
    assert "\x1b" not in to_text([CHART._replace(version="1.0.0\x1b[2J")], ["\x1b[31mred"])
