"""A plugin that tells more than it should and tries to call home: what it says must not be kept, and nobody answers."""

import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ftbench import Bench, Learner, Strategy, hookimpl

CALLS = Path(os.environ["TELLTALE_CALLS"])
_connect = socket.socket.connect


def _noted(self, address):
    if self.family != socket.AF_UNIX:
        with CALLS.open("a") as stream:
            stream.write(f"{address}\n")
    return _connect(self, address)


# It is loaded in the runner and in every trial: each would leave a line.
socket.socket.connect = _noted


@dataclass
class Telltale(Strategy):
    """Say where it is and what the environment holds."""

    how: Literal["raise", "exit"] = "raise"
    """The way to tell it: in an exception, or at the end of the log."""

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Tell it."""
        said = f"{Path.home()}/models with {os.environ['TELLTALE_TOKEN']} as {os.environ['USER']}@{socket.gethostname()} in {Path.cwd()}"
        if self.how == "exit":
            print(said)
            sys.stdout.flush()
            os._exit(3)
        raise RuntimeError(said)


@hookimpl
def ftbench_strategies():
    return {"telltale": Telltale}
