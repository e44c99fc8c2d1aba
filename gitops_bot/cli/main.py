"""The command line: which commands there are, and the one place where an error becomes a message and an exit code.

A command lives in a module of its own that exports ``command``. It is imported when it is run, so ``--help`` needs
none of them: their one-line help stands in the table below.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn, TextIO

import click

from gitops_bot.cli.lazy import LazyGroup, import_command
from gitops_bot.errors import UNEXPECTED, BotError

COMMANDS: dict[str, tuple[str, str]] = {
    "diff": ("gitops_bot.cli.diff", "Show what a change will really do to the cluster."),
    "render": ("gitops_bot.cli.render", "Print the manifests that would be applied."),
    "apps": ("gitops_bot.cli.apps", "List what is deployed from this repository."),
    "fetch": ("gitops_bot.cli.fetch", "Bring charts and sources from elsewhere into the cache."),
    "init": ("gitops_bot.cli.init", "Write settings and workflows that fit this repository."),
    "bump": ("gitops_bot.cli.bump", "Write a new image tag or model version into Git."),
    "promote": ("gitops_bot.cli.promote", "Bring to one environment what another has proved."),
    "rollback": ("gitops_bot.cli.rollback", "Undo a change of an environment, and keep it undone."),
    "hold": ("gitops_bot.cli.hold", "List, add or release versions that must not come back."),
    "agent": ("gitops_bot.cli.agent.group", "Keep a cluster equal to Git, from inside it."),
    "action": ("gitops_bot.cli.action", "Run as the GitHub Action, inside a workflow."),
    "tools": ("gitops_bot.cli.tools", "Find or install helm and kustomize."),
    "doctor": ("gitops_bot.cli.doctor", "Say what is missing here and what to do about it."),
    "version": ("gitops_bot.cli.version", "Print the version."),
}
"""Name → (module that exports ``command``, one line of help); the order is the order of ``--help``."""

_DEBUG = "GITOPS_BOT_DEBUG"
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_INTERRUPTED = 128 + signal.SIGINT
_BROKEN_PIPE = 128 + signal.SIGPIPE


class _Commands(LazyGroup):
    table = COMMANDS


def _show_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        ctx.invoke(import_command(COMMANDS, "version"))
        ctx.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version,
              help="Print the version.")  # fmt: skip
@click.option("--debug", is_flag=True, envvar=_DEBUG, help="Say what is done, and show a traceback when it fails.")
def group(*, debug: bool) -> None:
    """GitOps on GitHub: see what a pull request will change before it is merged, and write new versions into Git."""
    if debug:
        from gitops_bot import log  # logging costs 10 ms that --help need not pay

        os.environ[_DEBUG] = "1"
        log.configure(debug=True)


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the program with ``args`` (None: the process's own) and exit with the code that ``errors`` documents."""
    for number in _ENDING:
        if signal.getsignal(number) != signal.SIG_IGN:  # who ran us under nohup wants that to hold
            signal.signal(number, _stop)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    _thread.start_new_thread(_end_children_when_told, (reader,))
    sys.exit(run(sys.argv[1:] if args is None else args))


def run(args: Sequence[str]) -> int:
    """Run one command and return its exit code; every failure is told on standard error, none is raised."""
    try:
        code = _invoke(list(args))
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BotError as error:
        _explain(error, sys.stderr)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        print("interrupted", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        _silence(sys.stdout)
        return _BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - the last resort: nobody but a debugger is shown a traceback
        _report(error, sys.stderr)
        return UNEXPECTED
    return code


def _invoke(args: list[str]) -> int:
    if "_GITOPS_BOT_COMPLETE" in os.environ:
        group.main(args, prog_name="gitops-bot")
    try:
        with group.make_context("gitops-bot", args) as ctx:
            result = group.invoke(ctx)
    except click.exceptions.Exit as end:
        return end.exit_code
    return result if isinstance(result, int) else 0


def _explain(error: BotError, stream: TextIO) -> None:
    """What happened and the next step; who debugs also sees where."""
    if os.environ.get(_DEBUG):
        _traceback(error)
    print(f"error: {error.message}", file=stream)
    if error.hint:
        print(f"next: {error.hint}", file=stream)


def _report(error: Exception, stream: TextIO) -> None:
    """A mistake of ours: where it happened and what to tell us; not its text, which may quote a user's data."""
    if os.environ.get(_DEBUG):
        _traceback(error)
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = ""
    if frame is not None:
        code = frame.tb_frame.f_code
        where = f" in {os.path.basename(code.co_filename)}:{frame.tb_lineno} {code.co_name}"
    print(f"error: gitops-bot failed unexpectedly: {type(error).__name__}{where}", file=stream)
    print(
        f"next: run it again with {_DEBUG}=1 and report the traceback, without secrets, with the output of "
        "`gitops-bot doctor`",
        file=stream,
    )


def _traceback(error: BaseException) -> None:
    import traceback  # only for those who debug

    traceback.print_exception(error)


def _stop(number: int, _: FrameType | None) -> None:
    """End as a signal asks, through every ``finally``: scratch directories go, and so do the programs we started.

    The programs go first: a pool's ``finally`` waits for its threads, and they wait for the programs.
    """

    def stop() -> NoReturn:
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    process = sys.modules.get("gitops_bot.doors.process")
    if process is not None and process.put_off(stop):
        return
    _end_children()
    stop()


def _end_children_when_told(reader: int) -> None:
    """End the programs at the first ending signal, also when it reached another thread than the main one.

    Python runs handlers in the main thread only, and that one may be waiting for a thread that waits for a program.
    """
    while (told := os.read(reader, 1)) and told[0] not in _ENDING:
        pass
    _end_children()


def _end_children() -> None:
    process = sys.modules.get("gitops_bot.doors.process")
    if process is not None:
        process.end_all()


def _silence(stream: TextIO) -> None:
    """Let Python's own flush at exit write into nothing: the reader is gone, and that is no error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    main()
