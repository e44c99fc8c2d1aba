"""The settings that hold now: those of the repository that defines Applications, at the commit that is followed."""

from __future__ import annotations

from gitops_bot.model.settings import Agent, Settings

_CAREFUL = Settings(agent=Agent(people_managers=()))
"""Until they were read: nobody's fields are taken for a person's, so that none is taken away by mistake."""


class Terms:
    """Read by everybody, written by who reads the definitions."""

    def __init__(self, settings: Settings | None = None) -> None:
        """Begin with these; None: they will be read."""
        self._settings = settings or _CAREFUL

    def __call__(self) -> Settings:
        """The settings now."""
        return self._settings

    def put(self, settings: Settings) -> None:
        """Have these hold from now on."""
        self._settings = settings
