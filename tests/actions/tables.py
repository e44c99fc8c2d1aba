"""The tables of inputs and outputs in docs and README: ``python -m tests.actions.tables`` writes them anew."""

from __future__ import annotations

from pathlib import Path

from gitops_bot.actions.input_table import INPUTS
from gitops_bot.actions.outputs import OUTPUTS

_ROOT = Path(__file__).parents[2]
PAGES = (_ROOT / "docs" / "reference" / "action.md", _ROOT / "README.md")
"""Where tables stand, each between ``<!-- BEGIN INPUTS -->`` and ``<!-- END INPUTS -->`` or the same with OUTPUTS."""

BEGIN, END = "<!-- BEGIN {} -->", "<!-- END {} -->"


def input_table() -> str:
    """The inputs as a Markdown table, without a last line feed."""
    rows = (f"| `{each.name}` | {_default(each.default)} | {each.meaning} |" for each in INPUTS)
    return "\n".join(("| input | default | meaning |", "|---|---|---|", *rows))


def output_table() -> str:
    """The outputs as a Markdown table, without a last line feed."""
    rows = (f"| `{each.name}` | {each.meaning} |" for each in OUTPUTS)
    return "\n".join(("| output | meaning |", "|---|---|", *rows))


def marked(text: str, name: str) -> str | None:
    """What stands between ``<!-- BEGIN name -->`` and ``<!-- END name -->``, None without such marks."""
    _, begin, rest = text.partition(BEGIN.format(name))
    inner, end, _ = rest.partition(END.format(name))
    return inner.strip("\n") if begin and end else None


def _default(value: str) -> str:
    return f"`{value}`" if value else ""


def with_tables(text: str) -> str:
    """A page with its tables made anew; a page without marks stays as it is."""
    for name, table in (("INPUTS", input_table()), ("OUTPUTS", output_table())):
        before, begin, rest = text.partition(BEGIN.format(name))
        _, end, after = rest.partition(END.format(name))
        if begin and end:
            text = f"{before}{begin}\n{table}\n{end}{after}"
    return text


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(with_tables(page.read_text()))
        print(f"wrote {page}")
