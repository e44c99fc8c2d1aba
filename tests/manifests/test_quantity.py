from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_bot.manifests.quantity import amount, canonical_quantity

quantities = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "-", "+"]),
    st.integers(0, 10**9) | st.decimals(0, 1_000, places=2),
    st.sampled_from(["", "m", "k", "M", "G", "Ki", "Mi", "Gi", "e3", "E2", "E"]),
)


@pytest.mark.parametrize(
    ("text", "number"),
    [("1Gi", 2**30), ("1024Mi", 2**30), ("1G", 10**9), ("500m", Fraction(1, 2)), ("1e3", 1000), ("2E", 2 * 10**18),
     (".5", Fraction(1, 2)), ("5.", 5), ("-1", -1), (7, 7), (0.25, Fraction(1, 4)), (10**400, 10**400)],
)  # fmt: skip
def test_a_quantity_is_a_number(text, number):
    assert amount(text) == number


@pytest.mark.parametrize("text", ["", "a", "1 Gi", "1gi", None, True, [], {}, "9" * 100, float("inf")])
def test_what_is_no_quantity_is_none(text):
    assert amount(text) is None


@given(quantities)
def test_the_canonical_form_means_the_same(text):
    assert amount(canonical_quantity(text)) == amount(text)
