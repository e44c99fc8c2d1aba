"""The thresholds of the prune guards as they are kept with the Application."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_bot.agent.rules.guards import Limits, in_force, record

limits = st.builds(Limits, percent=st.integers(0, 100), objects=st.integers(0, 10**6), allow_empty=st.booleans())


@given(limits, limits)
def test_git_makes_what_was_recorded_stricter_and_never_looser(kept, now):
    assert in_force(record(kept), now) == Limits(
        percent=min(kept.percent, now.percent),
        objects=min(kept.objects, now.objects),
        allow_empty=kept.allow_empty and now.allow_empty,
    )
    assert in_force(record(kept), kept) == kept


@given(limits, st.sampled_from([None, "", "nonsense", "[]", '{"percent": "all"}']))
def test_without_a_record_the_stricter_of_the_usual_and_the_present_holds(now, recorded):
    found = in_force(recorded, now)
    assert found.percent <= min(now.percent, 50)
    assert found.objects <= min(now.objects, 10)
    assert not found.allow_empty


@pytest.mark.parametrize("text", ['{"percent":-1,"objects":0,"allow_empty":false}', '{"percent":200}'])
def test_a_record_out_of_its_range_is_none(text):
    assert in_force(text, Limits()) == Limits()
