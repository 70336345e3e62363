"""The command line: one module per command, imported only when that command is called."""

from __future__ import annotations

import io
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import click

from .. import __version__
from ..errors import ExitCode, FtbenchError, TrialError, UserError
from ..formatting import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "run": "Run the unfinished trials of a suite.",
    "retry": "Rerun the failed trials of a run.",
    "logs": "Show the output of a trial, also while it runs.",
    "gc": "Remove files that runs and the cache no longer need.",
    "plan": "List the trials of a suite and their status, or predict their cost.",
    "validate": "Check a suite without running it.",
    "data": "Check the data of a suite.",
    "list": "List installed backbones, tasks, strategies, meters and reports.",
    "show": "Show the record of a trial.",
    "report": "Write reports of one or more runs.",
    "recommend": "Recommend strategies that meet your limits.",
    "compare": "Compare two runs, or the strategies of one run.",
    "gate": "Compare a run with a baseline and exit with an error if anything got worse.",
    "bundle": "Pack a run into one file.",
    "leaderboard": "Build and verify a static leaderboard site.",
    "export": "Export the model of a trial for transformers or peft.",
    "check": "Test a strategy or a meter against its contract.",
    "doctor": "Show what this machine can measure, and what a suite still needs.",
    "new": "Create a suite from a template or for your own data.",
}
LIGHT = ("plan", "validate", "list", "doctor")
"""Commands that read plugins and suites but compute nothing."""


class _Commands(click.Group):
    """Group that lists commands from `COMMANDS` and imports only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        del ctx
        if name not in COMMANDS:
            return None
        if name in LIGHT:
            from .light import import_when_used

            # Before the command is imported: nearly every module of the core and of plugins imports numpy.
            import_when_used("numpy")
        command: click.Command = import_module(f".{name}_command", __package__).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from ..errors import suggestion

        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            ctx.fail(f"unknown command {args[0]!r}{suggestion(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="ftbench")
@click.option(
    "-p",
    "plugin_files",
    multiple=True,
    metavar="FILE.py",
    help="Load a plugin from a file or folder. May be repeated.",
)
@click.option("--without", multiple=True, metavar="NAME", help="Do not load this installed plugin. May be repeated.")
@click.pass_context
def group(ctx: click.Context, plugin_files: Sequence[str], without: Sequence[str]) -> None:
    """Find out which fine-tuning strategy to use, and how sure you can be.

    ftbench trains every strategy on identical splits and batches over several seeds, measures scores and costs, and
    reports which differences are statistically real.

    \b
      ftbench new suite quickstart          create quickstart.toml
      ftbench run quickstart.toml           train, score and report
      ftbench list strategies               list the strategies to compare

    \b
    Exit codes: 0 success · 1 trials failed · 2 wrong usage or suite · 3 regression
    4 inconclusive (--strict) · 5 not comparable · 70 internal error
    130 interrupted, can be resumed
    """  # noqa: D301 - click needs the backspace character itself
    from pathlib import Path

    ctx.obj = (tuple(str(Path(file).resolve()) for file in plugin_files), tuple(without))


def main() -> None:
    """Run the command line; print one line per user error, and a traceback for an internal error."""
    try:
        code = group.main(standalone_mode=False)
    except UserError as error:
        for mistake in error.mistakes:
            click.echo(f"error: {mistake}", err=True)
        code = error.exit_code
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(file=shown)
        click.echo(visible(shown.getvalue(), keep="\n"), err=True, nl=False)
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:
        code = ExitCode.OK
    except FtbenchError as error:
        click.echo(f"error: {visible(str(error))}", err=True)
        # A training outside a run, as for `export`, ends as a trial would: no code is at fault.
        code = ExitCode.TRIALS_FAILED if isinstance(error, TrialError) else ExitCode.INTERNAL
    except Exception:  # noqa: BLE001 - an internal error: print the traceback and exit with its own code
        import traceback

        click.echo(visible(traceback.format_exc(), keep="\n\t"), err=True, nl=False)
        code = ExitCode.INTERNAL
    sys.exit(int(code or 0))
