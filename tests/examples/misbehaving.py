"""Strategies that fail in every way a plugin can; the other trials of a suite must not notice."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Literal

from ftbench import Bench, Learner, Strategy, hookimpl


@dataclass
class Misbehaving(Strategy):
    """Fail in the way asked for, at the third step."""

    how: Literal["raise", "hang", "exit", "exit-zero", "nan", "segfault", "memory", "leak", "shout", "deaf"] = "raise"
    """The way to fail."""

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Train everything."""
        if self.how == "leak":
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        if self.how == "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def loss(self, learner, batch, outputs, task_loss):
        """Make the loss no number where that is the way to fail."""
        return task_loss * float("nan") if self.how == "nan" else task_loss

    def before_step(self, learner: Learner, step: int) -> None:
        """Fail."""
        if step != 2:
            return
        if self.how == "raise":
            raise RuntimeError("the strategy raised\nand said more")
        if self.how in ("hang", "deaf"):
            time.sleep(3600)
        if self.how == "exit":
            sys.exit(7)
        if self.how == "exit-zero":
            os._exit(0)
        if self.how == "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.how == "memory":
            raise MemoryError("no memory left")
        if self.how == "shout":
            for _ in range(2000):
                pass


@hookimpl
def ftbench_strategies():
    return {"misbehaving": Misbehaving}
