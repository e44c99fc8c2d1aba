"""One repository has many URLs."""

from __future__ import annotations

import pytest

from gitops_bot.render.own import OwnUrls


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/acme/web",
        "https://github.com/acme/web.git",
        "https://github.com/Acme/Web/",
        "git@github.com:acme/web.git",
        "ssh://git@github.com/acme/web",
        "ssh://git@github.com:22/acme/web.git",
        "https://x-access-token:ghs_16C7e42F292c6912E7710c838347Ae178B4a@github.com/acme/web",
    ],
)
def test_every_spelling_of_a_remote_is_this_repository(url: str) -> None:
    assert OwnUrls([url])("https://github.com/acme/web")
    assert OwnUrls(["https://github.com/acme/web"])(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/acme/web-config",
        "https://github.com.evil.example/acme/web",
        "https://evil.example/github.com/acme/web",
        "https://github.com/acme/web/charts",
        "https://gitlab.com/acme/web",
        "",
        "web",
    ],
)
def test_a_url_that_only_looks_alike_is_another(url: str) -> None:
    assert not OwnUrls(["https://github.com/acme/web", ""])(url)
