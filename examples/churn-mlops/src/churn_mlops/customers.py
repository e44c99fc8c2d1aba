"""Customers as a table: CSV with one numeric column for each feature."""

from __future__ import annotations

import csv
import io

ID, LABEL = "customer_id", "churned"


def read(data: bytes) -> list[dict[str, str]]:
    """The rows of a CSV file with a header. Raises ValueError when it is empty or no UTF-8."""
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    if not rows:
        raise ValueError("the table has no rows")
    return rows


def features(row: dict[str, str], line: int) -> dict[str, float]:
    """The numbers of one row, without id and label. Raises ValueError naming the line and the column."""
    numbers = {}
    for name, text in row.items():
        if name in (ID, LABEL):
            continue
        try:
            numbers[name] = float(text)
        except (TypeError, ValueError):
            raise ValueError(f"line {line}: {name} is not a number") from None
    return numbers
