"""What a reader of a diff is told, in which order: the one value that the terminal and the comment are laid out from.

Every string may hold foreign text (names, values, error messages) exactly as it came: whoever writes it out escapes it
for the medium (``gitops_bot.text.escape``).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from gitops_bot.model.change import Action, FieldChange
from gitops_bot.model.report import Status
from gitops_bot.model.signal import Severity

Verdict = Literal["none", "changes", "removals", "failed"]
"""What the reader should feel first; the worst that applies."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One object that a block's change happens to."""

    namespace: str
    """``""`` for cluster-scoped objects."""
    name: str
    renamed_from: str | None = None
    targets: tuple[str, ...]
    """Labels of the targets it is in, in order: the target's name, or its id where several share the name."""


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One distinct change and every object it happens to."""

    action: Action
    kind: str
    group: str
    hook: str | None = None
    members: tuple[Member, ...]
    """In order of namespace and name; never empty."""
    summary: tuple[str, ...] = ()
    """Short names of the fields that differ: ``image``, ``env LOG_LEVEL``."""
    fields: tuple[FieldChange, ...] = ()
    """The fields that differ, of the first member; empty for what is added or removed."""
    diff: str = ""
    """Unified diff of the first member."""
    folded: tuple[FieldChange, ...] = ()
    """Folded fields that differ as well (all that differs, in the noise section)."""
    hidden: int = 0
    """Fields that ``ignoreDifferences`` hides, in each member."""
    consequence: str = ""
    """What a removal takes along (``the namespace and everything in it``), ``""`` for most."""

    @property
    def targets(self) -> tuple[str, ...]:
        """Labels of all targets, each once, in order."""
        return tuple(sorted({target for member in self.members for target in member.targets}))

    @property
    def size(self) -> int:
        """How many resources it stands for: an object in three targets is three."""
        return sum(len(member.targets) for member in self.members)


class ImageRow(msgspec.Struct, frozen=True, kw_only=True):
    """One image that moves."""

    image: str
    """Repository, without tag and digest."""
    before: str
    """Tag or digest, the whole reference when the repository differs, ``""`` when it was not there."""
    after: str
    targets: tuple[str, ...]
    """Labels, in order."""


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """Blocks that belong together: what the merge changes at once, or what reaches an environment later."""

    reaches: str = ""
    """The revision whose move brings these changes, ``""`` for what the merge brings at once."""
    phrase: str
    """``2 to add, 14 to change, 1 to remove``."""
    images: tuple[ImageRow, ...] = ()
    """Images that move with it; those that move at once are ``View.images``."""
    blocks: tuple[Block, ...] = ()


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """What could not be rendered for one reason."""

    ids: tuple[str, ...]
    """Targets, files or generators, in order; never empty."""
    reason: str
    """May have several lines."""
    failed: bool
    """True when changes are missing because of it; False when it is no error of this change."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The plan hash of one rendered target."""

    target: str
    status: Status
    plan: str | None
    reason: str | None


class Risk(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a reviewer must not miss, and everything it happens to."""

    id: str
    """The signal's stable id: ``immutable-field``."""
    severity: Severity
    title: str
    """A few words: ``change of an immutable field``."""
    message: str
    """One line: what happens."""
    explanation: str
    """One or two sentences: why it matters and what to do."""
    objects: tuple[str, ...] = ()
    """Readable names, in order: ``Deployment web (shop)``; empty where it is about targets as a whole."""
    targets: tuple[str, ...]
    """Labels of all targets, in order."""
    silenced: str | None = None
    """Why it is silenced, as the settings of the base say; None where it is not."""
    reaches: str = ""
    """As ``Section.reaches``."""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Everything people read about one run, in reading order."""

    verdict: Verdict
    headline: str
    """``2 to add, 14 to change, 1 to remove``, or a sentence when nothing changes."""
    details: tuple[str, ...] = ()
    """What is not in the headline and must not be missed: noise, hidden, what comes later."""
    compared: str
    conflicts: tuple[str, ...] = ()
    """Paths that do not merge."""
    coverage: str
    missing: tuple[Missing, ...] = ()
    """What was not rendered: failures first."""
    risks: tuple[Risk, ...] = ()
    """Errors first; what is silenced comes after everything that is not."""
    routine: bool = False
    """Nothing but images and charts move, by patch versions, and no error or warning is raised."""
    images: tuple[ImageRow, ...] = ()
    """Images that move at once."""
    sections: tuple[Section, ...] = ()
    """At once first, then by what they reach. Sections without blocks are left out."""
    noise: tuple[Block, ...] = ()
    """Differ in folded fields only."""
    ignored: tuple[Block, ...] = ()
    """Differ only in what ``ignoreDifferences`` hides."""
    warnings: tuple[tuple[str, str], ...] = ()
    """(target label, warning)."""
    moved: tuple[tuple[str, str], ...] = ()
    """(target label, id it had before)."""
    plans: tuple[Plan, ...] = ()
    plan: str | None = None
    """``sha256:…`` over all changed targets' plan hashes, None with a reason where one of them has none."""
    plan_reason: str | None = None
    """Why there is no plan over all, None when there is one."""
    notes: tuple[str, ...] = ()
    tools: tuple[tuple[str, str], ...] = ()
    """(name, version)."""
