"""Holds are read as they are meant, and edited without moving what people wrote."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_bot.errors import UsageError
from gitops_bot.writeback.holds import FILE, Hold, add_hold, counts, parse_holds, read_holds, release_hold
from tests.render.trees import tree_of

NOW = datetime(2026, 8, 20, 12, 0, tzinfo=UTC)
API = "ghcr.io/acme/churn-api"
HOLD = Hold(what=API, version="sha-4f2a9c1", why="every request failed", by="ada", environment="staging")


def held(*holds: Hold, what=API, versions=("sha-4f2a9c1",), environments=("staging",), now=NOW):
    return tuple(hold for hold in holds if counts(hold, what, versions, environments=environments, now=now))


def test_no_file_holds_nothing():
    assert read_holds(tree_of({"a": ""})) == ()
    assert (
        parse_holds(b"") == parse_holds(b"# nothing\n") == parse_holds(b"holds:\n") == parse_holds(b"holds: []\n") == ()
    )


@pytest.mark.parametrize(
    ("hold", "counts"),
    [
        (HOLD, True),
        (Hold(what=API, version="*", why="w", by="b"), True),
        (Hold(what=API, version="sha-4f2a9c", why="w", by="b"), False),
        (Hold(what=API + "2", version="sha-4f2a9c1", why="w", by="b"), False),
        (Hold(what=API, version="sha-4f2a9c1", why="w", by="b", environment="production"), False),
        (Hold(what=API, version="sha-4f2a9c1", why="w", by="b", until="2026-08-20"), True),
        (Hold(what=API, version="sha-4f2a9c1", why="w", by="b", until="2026-08-19"), False),
        (Hold(what=API, version="sha-4f2a9c1", why="w", by="b", until="2026-08-20T14:00:00+02:00"), False),
        (Hold(what=API, version="sha-4f2a9c1", why="w", by="b", until="2026-08-20T14:00:01+02:00"), True),
    ],
)  # fmt: skip
def test_what_counts(hold, counts):
    assert bool(held(hold)) is counts


@pytest.mark.parametrize(
    "spelled", ["nginx", "docker.io/nginx", "index.docker.io/library/nginx", "Docker.io:443/nginx"]
)
def test_every_spelling_of_an_image_is_held_and_released(spelled):
    hold = Hold(what="docker.io/library/nginx", version="1.27", why="w", by="b")
    assert held(hold, what=spelled, versions=("1.27",)) == (hold,)
    assert held(msgspec.structs.replace(hold, what=spelled), what="library/nginx", versions=("1.27",))
    data = add_hold(None, hold)
    again = msgspec.structs.replace(hold, what=spelled, why="again")
    assert parse_holds(add_hold(data, again)) == (again,)
    assert release_hold(data, spelled)[1] == (hold,)


def test_a_place_in_a_file_is_no_spelling_of_another():
    hold = Hold(what="K8s/values.yaml#a", version="1", why="w", by="b")
    assert held(hold, what="K8s/values.yaml#a", versions=("1",))
    assert not held(hold, what="k8s/values.yaml#a", versions=("1",))


def test_a_digest_is_held_too():
    hold = Hold(what=API, version="sha256:ab", why="w", by="b")
    assert held(hold, versions=("v1", "sha256:ab")) == (hold,)


def test_a_hold_counts_where_any_of_the_environments_is_its_own():
    assert held(HOLD, environments=("production", "staging")) == (HOLD,)
    assert held(HOLD, environments=()) == held(HOLD, environments=("production",)) == ()


def test_every_problem_is_told_with_its_line():
    data = b"holds:\n  - {what: a, version: 1.10, why: w, by: b}\n  - what: a\n    version: b\n    whyy: c\n    by: d\n"
    with pytest.raises(UsageError) as caught:
        read_holds(tree_of({FILE: data}))
    for part in (
        "line 2: holds[0].version",
        "write it in quotes",
        "line 5: holds[1].whyy",
        "did you mean why?",
        "has no why",
    ):
        assert part in caught.value.message


def test_a_time_without_zone_is_refused():
    with pytest.raises(UsageError, match=r"line 6: holds\[0\].until"):
        parse_holds(b"holds:\n- what: a\n  version: b\n  why: c\n  by: d\n  until: 2026-01-01T12:00:00\n")


def test_the_first_hold_makes_the_file():
    data = add_hold(None, HOLD)
    assert data.endswith(
        b"holds:\n  - what: ghcr.io/acme/churn-api\n    version: sha-4f2a9c1\n    why: every request failed\n"
        b"    by: ada\n    environment: staging\n"
    )
    assert parse_holds(data) == (HOLD,)
    assert add_hold(data, HOLD) == data


@pytest.mark.parametrize(
    "data",
    [
        b"# why we hold\nholds:\n  # ada's\n  - what: x   # the old one\n    version: '1'\n    why: |\n      two\n      lines\n    by: b\n# end\n",
        b"holds:\n- {what: x, version: '1', why: w, by: b}\n\n\n# end",
        b"\xef\xbb\xbfholds:\r\n    -   what: x\r\n        version: '1'\r\n        why: w\r\n        by: b",
        b"holds: []  # none yet\n",
        b"holds:\n",
        b"holds:",
        b"---\nholds: # some\n",
        b"# only a comment",
    ],
)
def test_nothing_else_moves(data):
    if data == b"# only a comment":
        with pytest.raises(UsageError):
            add_hold(data, HOLD)
        return
    before = parse_holds(data)
    added = add_hold(data, HOLD)
    assert parse_holds(added) == (*before, HOLD)
    released, gone = release_hold(added, API)
    assert gone == (HOLD,)
    assert parse_holds(released) == before
    if b"[]" not in data:
        assert released.rstrip() == data.rstrip()
    else:
        assert b"holds:  # none yet\n" in added
    assert (b"\r\n" in data) == (b"\r\n" in added)
    if b"\r\n" in added:
        assert added.count(b"\n") == added.count(b"\r\n")


def test_the_same_version_is_held_once():
    data = add_hold(add_hold(None, HOLD), Hold(what=API, version="v2", why="w", by="b"))
    later = Hold(what=API, version="sha-4f2a9c1", why="still broken", by="grace", environment="staging")
    assert [hold.by for hold in parse_holds(add_hold(data, later))] == ["b", "grace"]


def test_release_by_version_and_environment():
    data = None
    for environment in ("staging", "production"):
        for version in ("v1", "v2"):
            data = add_hold(data, Hold(what=API, version=version, why="w", by="b", environment=environment))
    left, gone = release_hold(data, API, "v1", environment="staging")
    assert [(hold.version, hold.environment) for hold in gone] == [("v1", "staging")]
    left, gone = release_hold(left, API, "v2")
    assert len(gone) == 2
    assert [(hold.version, hold.environment) for hold in parse_holds(left)] == [("v1", "production")]
    assert release_hold(left, "another") == (left, ())


def test_a_list_on_one_line_is_left_to_people():
    with pytest.raises(UsageError, match="not written as this program can edit it"):
        add_hold(b"holds: [{what: x, version: '1', why: w, by: b}]\n", HOLD)


@pytest.mark.parametrize("missing", ["what", "version", "why", "by"])
def test_an_empty_text_is_refused(missing):
    given = {"what": "a", "version": "b", "why": "c", "by": "d", missing: " \n"}
    with pytest.raises(UsageError, match=f"needs {missing}"):
        add_hold(None, Hold(**given))


TEXT = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=30).filter(lambda text: text.split())


@settings(deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT, TEXT, TEXT), min_size=1, max_size=4), st.integers(0, 3))
def test_whatever_is_held_is_read_and_released_again(rows, which):
    data, holds = None, []
    for row in rows:
        what, version, why, by = (" ".join(text.split()) for text in row)
        data = add_hold(data, Hold(what=row[0], version=row[1], why=row[2], by=row[3]))
        hold = Hold(what=what, version=version, why=why, by=by)
        if hold not in holds:
            holds = [each for each in holds if (each.what, each.version) != (what, version)] + [hold]
    assert list(parse_holds(data)) == holds
    chosen = holds[which % len(holds)]
    left, gone = release_hold(data, chosen.what, chosen.version)
    assert gone == (chosen,)
    assert list(parse_holds(left)) == [hold for hold in holds if hold != chosen]
