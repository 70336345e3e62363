"""Strategies that fail in every way a plugin can; the other trials of a suite must not notice."""

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ftbench import Bench, Learner, Strategy, hookimpl

_SLEEP = "import time; time.sleep(600)"
_ESCAPE = f"import os; os.fork() and os._exit(0); os.setsid(); os.fork() and os._exit(0); {_SLEEP}"


@dataclass
class Misbehaving(Strategy):
    """Fail in the way asked for, at the third step."""

    how: Literal[
        "raise",
        "hang",
        "exit",
        "exit-zero",
        "sys-exit-zero",
        "nan",
        "segfault",
        "killed",
        "abort",
        "memory",
        "address-space",
        "tensors",
        "pieces",
        "balloon",
        "leak",
        "escape",
        "escape-and-die",
        "flood",
        "deaf",
        "disk",
        "clock",
    ] = "raise"
    """The way to fail."""

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Train everything."""
        if self.how == "leak":
            subprocess.Popen([sys.executable, "-c", _SLEEP])
        if self.how.startswith("escape"):
            subprocess.run([sys.executable, "-c", _ESCAPE], check=True)
        if self.how == "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def loss(self, learner, batch, outputs, task_loss):
        """Make the loss no number where that is the way to fail."""
        return task_loss * float("nan") if self.how == "nan" else task_loss

    def before_step(self, learner: Learner, step: int) -> None:
        """Fail."""
        if self.how == "flood":
            self._print(2**30 // 6)
        if self.how == "clock":
            time.time = lambda: -1e9 * step
        if step == 2:
            getattr(self, f"_{self.how.replace('-', '_')}", lambda: None)()

    def _raise(self):
        raise RuntimeError("the strategy raised\nand said more")

    def _hang(self):
        time.sleep(3600)

    _deaf = _hang

    def _exit(self):
        sys.exit(7)

    def _sys_exit_zero(self):
        sys.exit(0)

    def _exit_zero(self):
        os._exit(0)

    def _segfault(self):
        os.kill(os.getpid(), signal.SIGSEGV)

    def _abort(self):
        os.abort()

    def _killed(self):
        os.kill(os.getpid(), signal.SIGKILL)

    _escape_and_die = _segfault

    def _memory(self):
        raise MemoryError("no memory left")

    def _address_space(self):
        self._limit()
        bytearray(2**33)

    def _tensors(self):
        import torch

        self._limit()
        torch.ones(2**31)

    def _pieces(self):
        self._limit(2**27)
        self.kept = []
        while True:
            self.kept.append(bytearray(2**16))

    def _balloon(self):
        """Take 3 GB and no more: without a limit the machine must not suffer."""
        self.kept = [os.urandom(2**20) * 16 for _ in range(3 * 2**6)]
        raise RuntimeError("nobody minded")

    def _limit(self, more=2**30):
        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + more, resource.RLIM_INFINITY))

    def _print(self, size):
        line = b"x" * (2**20 - 1) + b"\n"
        for _ in range(size // len(line) + 1):
            os.write(1, line)
        print("the last line", flush=True)

    def _disk(self):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@hookimpl
def ftbench_strategies():
    return {"misbehaving": Misbehaving}
