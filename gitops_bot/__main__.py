"""``python -m gitops_bot``: the same as the command ``gitops-bot``."""

from __future__ import annotations

from gitops_bot.cli.main import main

if __name__ == "__main__":
    main()
