"""What the tests of landing share: doors to the fake GitHub, and proposals that raise one number in one file."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from gitops_bot.doors.github.api import GitHub
from gitops_bot.doors.github.auth import Token
from gitops_bot.doors.github.commits import WRITING
from gitops_bot.doors.github.writing import writing
from gitops_bot.doors.history import Origin
from gitops_bot.doors.push import Clone
from gitops_bot.model.writeback import FileChange, Head, Proposal
from gitops_bot.writeback.landing.changes import Made, Make
from gitops_bot.writeback.landing.land import LandingDoors
from tests.github.fake import FakeGitHub
from tests.github.state import Repository

_TAG = re.compile(rb"tag: (\d+)")


class Waits:
    """Waiting that takes no time; what was waited adds up to a clock. ``factor`` makes a thread really rest a little."""

    def __init__(self, factor: float = 0.0) -> None:
        self.all: list[float] = []
        self._factor = factor

    def __call__(self, seconds: float) -> None:
        self.all.append(seconds)
        if self._factor:
            threading.Event().wait(seconds * self._factor)

    def clock(self) -> float:
        return sum(self.all)


@contextlib.contextmanager
def landing_doors(
    github: FakeGitHub, repository: Repository, folder: Path, *, token: str = "", api: bool = True,
    wait: Waits | None = None, jitter: Callable[[], float] = lambda: 0.5, checkout: str = "",
) -> Iterator[LandingDoors]:  # fmt: skip
    """The doors of one run, with the app's token unless another is given."""
    value = token or github.tokens.app.value
    waits = wait or Waits()
    folder.mkdir(parents=True, exist_ok=True)
    door = GitHub(
        api_url=github.url, repository=repository.full_name, auth=Token(value), patience=WRITING, wait=waits,
        clock=waits.clock, jitter=jitter,
    )  # fmt: skip
    origin = Origin(repository.clone_url, value)
    with Clone(origin, folder, checkout=checkout, wait=waits, jitter=jitter) as clone:
        try:
            yield LandingDoors(clone, writing(door) if api else None, waits, jitter)
        finally:
            door.close()


def bump(
    service: str, tag: int, *, topic: str = "", body: str = "", labels: tuple[str, ...] = (), mode: str = "100644"
) -> Make:
    """A maker that sets ``tag: N`` in ``apps/<service>.yaml``, unless it is that or a newer one already."""
    path = f"apps/{service}.yaml"

    def make(head: Head) -> Made:
        before = head.tree.read(path)
        found = _TAG.search(before)
        assert found is not None
        if int(found[1]) >= tag:
            return "newer" if int(found[1]) > tag else None
        after = before[: found.start(1)] + str(tag).encode() + before[found.end(1) :]
        return Proposal(
            files=(FileChange(path=path, content=after, mode=mode),),
            subject=f"chore: update {service} to {tag}",
            message=f"{service}: {found[1].decode()} -> {tag}",
            body=body or f"**{service}** goes to {tag}.\n",
            trailers=(("Gitops-Bot-Image", f"{service}:{tag}"),),
            topic=topic or f"bump/staging/{service}",
            labels=labels,
        )

    return make


def services(count: int) -> dict[str, str | bytes | None]:
    """The files of so many services."""
    return {
        f"apps/s{number}.yaml": f"# service {number}\nimage:\n  tag: 1   # keep\nreplicas: 2\n"
        for number in range(count)
    }


def content(repository: Repository, service: str, branch: str = "main") -> str:
    """The file of a service at a branch's tip."""
    return repository.git.run("show", f"refs/heads/{branch}:apps/{service}.yaml")


def subjects(repository: Repository, since: str, branch: str = "main") -> list[str]:
    """The first lines of the commits since one, oldest first."""
    return repository.git.run("log", "--reverse", "--format=%s", f"{since}..refs/heads/{branch}").splitlines()
