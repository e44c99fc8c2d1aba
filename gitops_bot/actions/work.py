"""What one run of the Action is about, whatever it does."""

from __future__ import annotations

import msgspec

from gitops_bot.actions.activity import Activity
from gitops_bot.actions.commands import Console
from gitops_bot.actions.environment import Runner
from gitops_bot.actions.inputs import Inputs


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What one run is about."""

    runner: Runner
    inputs: Inputs
    activity: Activity
    console: Console
