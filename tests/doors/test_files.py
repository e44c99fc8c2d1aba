"""Files are written whole, and nothing that is no file is replaced by one."""

from __future__ import annotations

import os
import stat
import threading

import pytest

from gitops_bot.doors.files import write_whole


def test_a_new_file_has_the_mode_of_its_user_s_files(tmp_path):
    write_whole(str(tmp_path / "new"), b"content")
    (tmp_path / "other").touch()
    assert (tmp_path / "new").read_bytes() == b"content"
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_pipe_stays_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_whole(str(pipe), b"content")
    reader.join(10)
    assert read == [b"content"]
    assert stat.S_ISFIFO(pipe.lstat().st_mode)


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to("file")
    write_whole(str(tmp_path / "link"), b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "new"


def test_nothing_is_left_behind_where_nothing_can_be_written(tmp_path):
    (tmp_path / "directory").mkdir()
    for path in ("directory", "nowhere/file"):
        with pytest.raises(OSError, match="irectory"):
            write_whole(str(tmp_path / path), b"content")
    assert os.listdir(tmp_path) == ["directory"]
