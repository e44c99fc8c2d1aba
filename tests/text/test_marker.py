from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_bot.errors import UsageError
from gitops_bot.text.marker import Marker, marker_length, read_marker, write_marker
from tests.text.test_escape import hostile, markdown

keys = st.from_regex(r"[A-Za-z0-9._/-]{1,64}", fullmatch=True)
digests = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)


@given(keys, digests, st.sampled_from(["", "\n", "\r\n", "\ntext", "\r\n### x"]))
def test_what_is_written_is_read_and_never_seen(key, digest, rest):
    marker = write_marker(key, digest)
    assert read_marker(marker + rest) == Marker(key, digest)
    assert len(marker) + 1 == marker_length(key)
    assert markdown.render(marker + "\n").strip() == marker


@given(hostile)
def test_foreign_text_is_no_marker(text):
    assert read_marker(text) is None


@pytest.mark.parametrize(
    "body",
    [
        "",
        "\n" + write_marker("a", "0" * 64),
        " " + write_marker("a", "0" * 64),
        write_marker("a", "0" * 64) + " and more",
        write_marker("a", "0" * 64).replace("key=a", "key=a b"),
        "> " + write_marker("a", "0" * 64),
    ],
)
def test_only_the_first_line_as_we_write_it_counts(body):
    assert read_marker(body) is None


@pytest.mark.parametrize("key", ["", "a b", "é", "a>", "x" * 65, "a\n"])
def test_a_key_that_could_break_the_line_is_refused(key):
    with pytest.raises(UsageError, match="cannot be a comment's key"):
        write_marker(key, "0" * 64)


@pytest.mark.parametrize("digest", ["", "0" * 63, "G" * 64, "F" * 64])
def test_a_digest_that_is_none_is_our_mistake(digest):
    with pytest.raises(ValueError, match="not a SHA-256 digest"):
        write_marker("a", digest)
