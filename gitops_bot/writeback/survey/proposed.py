"""What a survey of a repository proposes as its settings, and why; the values that ``gitops-bot init`` writes."""

from __future__ import annotations

import msgspec

from gitops_bot.model.settings import Environment, ImageRule, ModelRule, Render, Settings


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What Git says of a repository, beside its files."""

    branches: tuple[str, ...] = ()
    """Names of local branches and of the remotes', without the remote."""
    tags: tuple[str, ...] = ()
    default_branch: str = "main"
    own: tuple[str, ...] = ()
    """URLs that mean the repository for certain: its remotes and those that were named."""


class ProposedEnvironment(msgspec.Struct, frozen=True, kw_only=True):
    """An environment that seems to be there."""

    name: str
    follows: Environment
    why: tuple[str, ...] = ()
    """What speaks for it, one sentence each."""


class ProposedImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image and where its tag stands."""

    rule: ImageRule
    why: tuple[str, ...] = ()


class ProposedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model and where its version stands."""

    rule: ModelRule
    why: tuple[str, ...] = ()


class ProposedUrl(msgspec.Struct, frozen=True, kw_only=True):
    """Another URL that seems to mean the repository."""

    url: str
    why: str


class Proposed(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is proposed, in the order in which it is written."""

    environments: tuple[ProposedEnvironment, ...] = ()
    """In the order of promotion; none: the defaults hold."""
    images: tuple[ProposedImage, ...] = ()
    models: tuple[ProposedModel, ...] = ()
    repositories: tuple[ProposedUrl, ...] = ()
    other_images: tuple[str, ...] = ()
    """Images that were seen and seem to be somebody else's, each with a place where it stands."""

    @property
    def settings(self) -> Settings:
        """As a reader of the written file has it."""
        settings = Settings(
            images=tuple(each.rule for each in self.images),
            models=tuple(each.rule for each in self.models),
            render=Render(repositories=tuple(each.url for each in self.repositories)),
        )
        if not self.environments:
            return settings
        return msgspec.structs.replace(settings, environments={each.name: each.follows for each in self.environments})
