import pytest

from gitops_bot.actions.summary import LIMIT, append_summary, summary_room
from gitops_bot.errors import UsageError


def test_paragraphs_stand_apart(tmp_path):
    path = tmp_path / "summary"
    path.write_text("# Mine")
    assert append_summary(str(path), "## Ours\n")
    assert append_summary(str(path), "| a |\n|---|")
    assert path.read_text() == "# Mine\n\n## Ours\n\n\n| a |\n|---|\n"


def test_the_limit_is_the_runner_s():
    assert LIMIT == 1_048_576  # AttachmentSizeLimit of actions/runner's FileCommandManager


@pytest.mark.parametrize("already", [0, 1, 1000, LIMIT - 10, LIMIT, LIMIT + 1])
def test_never_more_than_the_runner_shows(tmp_path, already):
    path = tmp_path / "summary"
    path.write_bytes(b"x" * already)
    room = summary_room(str(path))
    assert room == max(0, LIMIT - already - 3)
    assert not append_summary(str(path), "é" * (room // 2 + 1))
    assert path.stat().st_size == already
    if room:
        assert append_summary(str(path), "y" * room)
        assert LIMIT - 3 <= path.stat().st_size <= LIMIT


def test_bytes_count_not_characters(tmp_path):
    path = tmp_path / "summary"
    assert not append_summary(str(path), "€" * (LIMIT // 3 + 1))
    assert append_summary(str(path), "€" * (LIMIT // 3 - 3))
    assert path.read_text().strip("\n") == "€" * (LIMIT // 3 - 3)


def test_where_the_runner_shows_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert summary_room("") == 0
    assert not append_summary("", "x")
    assert list(tmp_path.iterdir()) == []


def test_half_a_character_is_replaced(tmp_path):
    path = tmp_path / "summary"
    assert append_summary(str(path), "a\ud800b")
    assert path.read_text() == "a?b\n"


def test_a_file_that_cannot_be_written(tmp_path):
    with pytest.raises(UsageError, match="summary cannot be written"):
        append_summary(str(tmp_path), "x")
