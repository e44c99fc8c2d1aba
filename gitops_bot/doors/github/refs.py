"""References at GitHub: a branch or tag made, moved forwards, replaced and deleted, from where it was read only."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from gitops_bot.doors.github import values
from gitops_bot.doors.github.calls import Call
from gitops_bot.doors.github.errors import NotFound
from gitops_bot.doors.rejection import Rejected, kind_of_error, rejected
from gitops_bot.errors import GitHubError

if TYPE_CHECKING:
    from gitops_bot.doors.github.api import GitHub

_NEEDS = "contents: write"
_NONE = "0" * 40
_UPDATE = "mutation($input: UpdateRefsInput!) { updateRefs(input: $input) { clientMutationId } }"
_ID = "query($owner: String!, $name: String!) { repository(owner: $owner, name: $name) { id } }"


class _Object(msgspec.Struct, frozen=True):
    sha: str


class _Ref(msgspec.Struct, frozen=True):
    object: _Object


class _Node(msgspec.Struct, frozen=True):
    id: str


class _Found(msgspec.Struct, frozen=True):
    repository: _Node


class _Answer(msgspec.Struct, frozen=True):
    data: _Found


class RefDoor:
    """The references of the repository that the door is for. Names are full: ``refs/heads/main``, ``refs/tags/v1.2.3``.

    Every method raises GitHubError; what a rule or a race refuses is Rejected.
    """

    def __init__(self, github: GitHub) -> None:
        """Take the door."""
        self._github = github
        self._node = ""

    def get(self, name: str) -> str:
        """The object that a reference points to (an annotated tag's own object), ``""`` when there is none."""
        doing = f"reading {name} of {self._github.repository}"
        path = f"{self._github.path}/git/ref/{quote(name.removeprefix('refs/'))}"
        try:
            heard = self._github.ask(Call("GET", path, doing, needs="contents: read"))
        except NotFound:
            return ""
        return values.read(heard, _Ref, doing).object.sha

    def create(self, name: str, oid: str) -> None:
        """Make a reference that is not there; one that is there already and points to ``oid`` is as good.

        Raises Rejected: ``moved`` when it is there and points elsewhere.
        """
        doing = f"creating {name} in {self._github.repository}"
        call = Call("POST", f"{self._github.path}/git/refs", doing, needs=_NEEDS, body={"ref": name, "sha": oid})
        try:
            self._github.create(call, lambda: self.get(name) == oid or None)
        except GitHubError as error:
            kind = kind_of_error(error, doing)
            if kind == "moved" and self.get(name) == oid:
                return
            raise _told(error, doing) from None

    def advance(self, name: str, oid: str) -> None:
        """Move a reference forwards to a descendant. Raises Rejected: ``moved`` when that is none."""
        doing = f"moving {name} of {self._github.repository}"
        path = f"{self._github.path}/git/refs/{quote(name.removeprefix('refs/'))}"
        try:
            # Sent again it finds the reference where it should be, which is forwards, too.
            self._github.ask(Call("PATCH", path, doing, needs=_NEEDS, body={"sha": oid, "force": False}))
        except GitHubError as error:
            if kind_of_error(error, doing) == "moved" and self.get(name) == oid:
                return
            raise _told(error, doing) from None

    def replace(self, name: str, before: str, oid: str) -> None:
        """Point a reference of our own from ``before`` anywhere else, in one step. Raises Rejected: ``moved``."""
        self._update(name, before, oid, f"replacing {name} of {self._github.repository}")

    def delete(self, name: str, before: str) -> None:
        """Delete a reference of our own that points to ``before``. Raises Rejected: ``moved``."""
        self._update(name, before, "", f"deleting {name} of {self._github.repository}")

    def create_tag(self, tag: str, commit: str) -> None:
        """Make the lightweight tag of a commit; it is there already: fine when it is the same commit's.

        Raises Rejected when the name is another commit's: a tag is never moved.
        """
        try:
            self.create(f"refs/tags/{tag}", commit)
        except Rejected as error:
            if error.kind != "moved":
                raise
            hint = "take the next version; a tag that environments follow is never moved"
            message = f"the tag {tag} of {self._github.repository} is another commit's already"
            raise Rejected(message, "moved", hint=hint) from None

    def _update(self, name: str, before: str, oid: str, doing: str) -> None:
        update = {"name": name, "beforeOid": before, "afterOid": oid or _NONE, "force": True}
        given = {"repositoryId": self._repository(), "refUpdates": [update]}
        call = self._github.graphql(_UPDATE, {"input": given}, doing, needs=_NEEDS)
        try:
            self._github.create(call, lambda: self.get(name) == oid or None)
        except GitHubError as error:
            if kind_of_error(error, doing) == "moved" and self.get(name) == oid:
                return
            raise _told(error, doing) from None

    def _repository(self) -> str:
        """The repository's global id."""
        if not self._node:
            owner, _, name = self._github.repository.partition("/")
            doing = f"reading {self._github.repository}"
            call = self._github.graphql(_ID, {"owner": owner, "name": name}, doing, harmless=True)
            self._node = values.read(self._github.ask(call), _Answer, doing).data.repository.id
        return self._node


def _told(error: GitHubError, doing: str) -> GitHubError:
    """A refusal with its reason, where its words give one; of the token's rights it says itself what is missing."""
    kind = kind_of_error(error, doing)
    return error if kind is None or kind == "access" else rejected(doing, error.message, kind)
