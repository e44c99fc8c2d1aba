"""Score a table of customers: ``python -m churn_mlops.batch --model DIRECTORY --input FILE --output FILE``."""

from __future__ import annotations

import argparse
import csv
import io
import sys

from churn_mlops import customers, store
from churn_mlops.model import Model, ModelError


def score(model: Model, data: bytes) -> bytes:
    """A CSV of customer and probability, in the order of the input. Raises ValueError or ModelError."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([customers.ID, "probability", "model_version"])
    for line, row in enumerate(customers.read(data), start=2):
        probability = model.probability(customers.features(row, line))
        writer.writerow([row.get(customers.ID, line), f"{probability:.6f}", model.version])
    return out.getvalue().encode()


def main(argv: list[str] | None = None) -> int:
    """Score one table; 1 when model or data cannot be read or used."""
    parser = argparse.ArgumentParser(prog="churn_mlops.batch", description=__doc__)
    parser.add_argument("--model", required=True, help="directory or s3:// prefix that holds model.json")
    parser.add_argument("--input", required=True)
    parser.add_argument("--output", required=True)
    options = parser.parse_args(argv)
    try:
        model = Model.from_json(store.read(store.join(options.model, "model.json")))
        store.write(options.output, score(model, store.read(options.input)))
    except (store.StoreError, ModelError, ValueError) as error:
        print(f"churn_mlops.batch: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
