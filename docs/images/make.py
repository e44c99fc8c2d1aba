# ruff: noqa: INP001 - a script beside its pictures, which starts a browser
"""Makes the pictures of this directory: `python docs/images/make.py github-markdown-light.css`.

The style is npm's github-markdown-css; the browser is Chromium.
The Markdown is rendered as CommonMark with tables; GitHub's alerts are put in by hand.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from markdown_it import MarkdownIt  # noqa: E402 - the repository's root comes first

from gitops_bot.review.view import build_view  # noqa: E402
from gitops_bot.text.fit import fit_comment  # noqa: E402
from gitops_bot.text.html import html_report  # noqa: E402
from gitops_bot.text.view import View  # noqa: E402
from tests.review.cases import CASES  # noqa: E402
from tests.text.views import block, diff_of, risk, view_of  # noqa: E402

_ALERT = re.compile(r"<blockquote>\s*<p>\[!(CAUTION|WARNING|NOTE)\]\s*")
_LINES = {"+": "#dafbe1", "-": "#ffebe9"}


def page(markdown: str, css: str) -> str:
    """A page that looks as GitHub shows the comment."""
    html = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown)
    html = _ALERT.sub(
        lambda found: (
            f'<blockquote class="markdown-alert markdown-alert-{found[1].lower()}">'
            f'<p class="markdown-alert-title">{found[1].capitalize()}</p><p>'
        ),
        html,
    )
    html = re.sub(r'(<code class="language-diff">)(.*?)(</code>)', _coloured, html, flags=re.DOTALL)
    style = "body { padding: 20px 24px; } .markdown-alert { color: inherit !important; }"
    return f'<!DOCTYPE html><meta charset="utf-8"><style>{css}{style}</style><body class="markdown-body">{html}</body>'


def _coloured(found: re.Match[str]) -> str:
    lines = (
        f'<span style="background:{_LINES[line[0]]};display:inline-block;width:100%">{line}</span>'
        if line[:1] in _LINES
        else line
        for line in found[2].split("\n")
    )
    return found[1] + "\n".join(lines) + found[3]


def huge() -> View:
    """Three thousand changes, some of them risky: cut by the ladder."""
    blocks = [block(n, diff_of(2_500, n), apps=2) for n in range(3_000)]
    first = tuple(f"Deployment web (shop-{n}-000)" for n in (7, 8))
    return view_of(
        *blocks,
        headline="40 to add, 5,940 to change, 20 to remove",
        risks=tuple(
            risk("selector-change", name, message="The selector cannot be changed: app", targets=(name[16:-1],))
            for name in first
        ),
    )


def shoot(html: bytes, picture: Path, height: int) -> None:
    """Let a real browser draw a page."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or "google-chrome"
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "page.html"
        file.write_bytes(html)
        subprocess.run(
            [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={scratch}",
             f"--window-size=900,{height}", f"--screenshot={picture}", file.as_uri()],
            check=True, capture_output=True, timeout=60,
        )  # fmt: skip


def main() -> None:
    """Draw all three."""
    css = Path(sys.argv[1]).read_text("utf-8")
    here = Path(__file__).parent
    risky = build_view(CASES["risks"]())
    elsewhere = "the step summary, and `report.html` in the artifact `gitops-bot-report`"
    shoot(page(fit_comment(risky).text, css).encode(), here / "comment.png", 1180)
    shoot(page(fit_comment(huge(), elsewhere=elsewhere).text, css).encode(), here / "comment-cut.png", 1500)
    shoot(html_report(risky), here / "report.png", 1300)


if __name__ == "__main__":
    main()
