"""The command line: a module a command, imported only when it is asked for."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

import click

from .. import __version__
from ..errors import ExitCode, FtbenchError, UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "run": "Run a suite; what is done already is not done again.",
    "retry": "Run the failed trials of a run once more.",
    "logs": "Show what a trial prints, while it runs too.",
    "gc": "Remove what a run directory holds and nothing needs.",
    "plan": "Show the trials of a suite, and which are done.",
    "validate": "Check a suite without running it.",
    "data": "Look for what is wrong with the data of a suite.",
    "list": "List what plugins offer, with licences and sources.",
    "show": "Show one trial's record.",
    "report": "Write the reports of a run.",
    "recommend": "Recommend strategies that meet some limits, as far as a run's data can tell.",
    "compare": "Compare two runs, or the strategies of one.",
    "gate": "Hold a run against a baseline; the exit code says how it came out.",
    "bundle": "Write a run to one file that can be sent and kept.",
    "leaderboard": "Publish runs as a static site, and check what was published.",
    "export": "Write the model of a trial for transformers or peft.",
    "check": "Check a plugin against what its contract promises.",
    "doctor": "Tell what this machine can measure and run, and why not.",
    "new": "Write a suite to start from.",
}


class _Commands(click.Group):
    """Knows the commands by a line each and imports the one that is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        del ctx
        if name not in COMMANDS:
            return None
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
            ctx.fail(f"no command is called {args[0]!r}{suggestion(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="ftbench")
@click.option(
    "-p",
    "plugin_files",
    multiple=True,
    metavar="FILE.py",
    help="Load a plugin from one file or folder; may be repeated.",
)
@click.option("--without", multiple=True, metavar="NAME", help="Leave an installed plugin out; may be repeated.")
@click.pass_context
def group(ctx: click.Context, plugin_files: Sequence[str], without: Sequence[str]) -> None:
    r"""Which fine-tuning strategy should I take, and how sure can I be?

    ftbench runs fine-tuning strategies on identical splits, in identical batches, over seeds; measures what they
    score and what they cost; and says which differences are real.

    \b
      ftbench new suite quickstart          writes quickstart.toml
      ftbench run quickstart.toml           trains, scores, reports
      ftbench list strategies               what there is to compare

    \b
    Exit codes: 0 ok · 1 trials failed · 2 usage or suite · 3 regression · 4 inconclusive (--strict)
    5 not comparable · 70 internal error · 130 interrupted, resumable
    """
    from pathlib import Path

    ctx.obj = (tuple(str(Path(file).resolve()) for file in plugin_files), tuple(without))


def main() -> None:
    """Run the command line; a user's mistake ends in a line each, anything else in a traceback."""
    try:
        code = group.main(standalone_mode=False)
    except UserError as error:
        for mistake in error.mistakes:
            click.echo(f"error: {mistake}", err=True)
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:
        code = ExitCode.OK
    except FtbenchError as error:
        click.echo(f"error: {error}", err=True)
        code = ExitCode.INTERNAL
    except Exception:  # noqa: BLE001 - a bug: shown whole, with an exit code of its own
        import traceback

        traceback.print_exc()
        code = ExitCode.INTERNAL
    sys.exit(int(code or 0))
