"""Which repository URLs mean the repository at hand."""

from __future__ import annotations

from collections.abc import Iterable

from gitops_bot.model import url as urls


class OwnUrls:
    """A set of URLs that mean this repository.

    Argo CD's normalisation, and beyond it scheme, user and port do not count: one repository is cloned by people over
    SSH and by machines over HTTPS.
    """

    def __init__(self, given: Iterable[str]) -> None:
        """Take remotes, ``GITHUB_REPOSITORY`` as a URL, ``--repo-url`` and the settings' ``render.repositories``."""
        self._places = frozenset(_place(url) for url in given if url)

    def __call__(self, url: str) -> bool:
        """True when the URL means this repository."""
        return _place(url) in self._places


def _place(text: str) -> str:
    text = text.strip().lower()
    if "://" in text:
        text = urls.shown(text)  # a checkout on a runner has its token in the remote's URL
    try:
        url = urls.parse_git(text)
    except ValueError:
        return text.rstrip("/").removesuffix(".git")
    return f"{url.host}{url.path.removesuffix('.git')}"
