"""What a reader of a report is told first, and what must not sound green."""

from __future__ import annotations

from gitops_bot.model.change import FieldChange, ResourceChange
from gitops_bot.model.resource import ResourceKey
from gitops_bot.review.view import build_view
from gitops_bot.text.pieces import verdict_icon
from tests.review.cases import deployment, noise, outcome, raising, report

LATEST = ("image-latest", "container api: ghcr.io/acme/churn-api has the tag latest", "")
SHRINK = ("volume-shrink", "The claim gets smaller", "")


def restarting(namespace: str) -> ResourceChange:
    path = "spec.template.metadata.annotations[checksum/config]"
    return ResourceChange(
        action="changed",
        bucket="noise",
        key=ResourceKey("apps", "Deployment", namespace, "web"),
        api_version="apps/v1",
        noise=(FieldChange(path=path, before="<checksum>", after="<checksum, changed>"),),
    )


def test_pods_that_restart_are_no_green_nothing() -> None:
    view = build_view(report(outcome("a", restarting("a"), noise("a")), outcome("b", restarting("b"))))
    assert view.headline == "Nothing but checksums changes, and with them pods restart in 2 apps."
    assert view.verdict == "changes"
    quiet = build_view(report(outcome("a", noise("a"))))
    assert (quiet.headline, quiet.verdict) == ("No changes beyond what is folded or ignored.", "none")


def test_errors_of_what_comes_later_are_told_at_the_top() -> None:
    later = outcome("prod", raising(deployment("prod"), SHRINK, LATEST), reaches="v*")
    view = build_view(report(outcome("staging", deployment("staging")), later))
    assert "later, when v* moves: 0 to add, 1 to change, 0 to remove; 1 error; 1 warning" in view.details
    assert verdict_icon(view) == "🛑"


def test_a_warning_of_what_comes_later_does_not_head_the_comment() -> None:
    later = outcome("prod", raising(deployment("prod"), LATEST), reaches="v*")
    assert verdict_icon(build_view(report(outcome("staging", deployment("staging")), later))) == "📝"


def test_what_comes_later_begins_with_the_worst() -> None:
    outcomes = [
        outcome("dev", deployment("dev"), reaches="develop"),
        outcome("qa", raising(deployment("qa"), LATEST), reaches="qa"),
        outcome("prod", raising(deployment("prod"), SHRINK), reaches="v*"),
        outcome("staging", deployment("staging")),
    ]
    assert [section.reaches for section in build_view(report(*outcomes)).sections] == ["", "v*", "qa", "develop"]
