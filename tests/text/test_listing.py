from __future__ import annotations

from gitops_bot.model.listing import Listed, ListedSource, Listing
from gitops_bot.model.target import NotRendered
from gitops_bot.text.listing import to_json, to_text


def listed(name: str, reason: str = "") -> Listed:
    source = ListedSource(renderer="helm", repository="", path=f"charts/{name}", chart="", revision="")
    return Listed(id=f"helm:charts/{name}", name=name, kind="Helm", file=f"charts/{name}", path=f"charts/{name}",
                  namespace="default", parent=None, sources=(source,), reason=reason, warnings=())  # fmt: skip


def test_a_reason_that_several_share_is_told_once_and_nobody_is_left_out():
    gone = "the path is not in this repository"
    text = to_text(Listing(targets=(listed("a", gone), listed("b"), listed("c", gone)),
                           problems=(NotRendered(id="fleet.yaml#fleet", reason="it yields nothing"),)))  # fmt: skip
    assert text.count(gone) == 1
    assert all(name in text for name in ("helm:charts/a", "helm:charts/c", "fleet.yaml#fleet: ".rstrip(": ")))
    assert text.endswith("3 targets, 1 can be rendered.\n")


def test_names_that_would_move_a_cursor_are_drawn():
    listing = Listing(targets=(listed("a\x1b[2Jb"),), problems=())
    assert "\x1b" not in to_text(listing)
    assert b"\x1b" not in to_json(listing)
