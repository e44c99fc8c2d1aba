"""Signs of life."""

from __future__ import annotations

from gitops_bot.agent.loop.pulse import Pulse


def test_who_works_without_a_sign_of_life_is_silent_and_who_rests_is_not():
    at = [0.0]
    pulse = Pulse(lambda: at[0])
    pulse.beat("one")
    pulse.beat("two")
    at[0] = 9.0
    pulse.beat("two")
    at[0] = 11.0
    assert pulse.silent(10.0) == ("one",)
    pulse.rest("one")
    at[0] = 1000.0
    assert pulse.silent(10.0) == ("two",)
