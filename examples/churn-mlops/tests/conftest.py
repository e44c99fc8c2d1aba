"""Synthetic customers: who calls support often and is new, leaves."""

from __future__ import annotations

import random

import pytest


@pytest.fixture(scope="session")
def table() -> bytes:
    random_ = random.Random(7)
    lines = ["customer_id,tenure_months,support_calls,churned"]
    for customer in range(400):
        tenure, calls = random_.uniform(0, 60), random_.randrange(8)
        leaves = calls * 6 - tenure + random_.gauss(0, 8) > 0
        lines.append(f"c{customer},{tenure:.1f},{calls},{int(leaves)}")
    return ("\n".join(lines) + "\n").encode()
