"""The command line, called in this process: no interpreter to start, and trials are forked from a server that is warm already."""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from unittest.mock import patch


@dataclass(frozen=True)
class Done:
    """What a command said, and how it ended."""

    returncode: int
    stdout: str
    stderr: str


def call(*arguments, cwd, check=None):
    """Run `ftbench` with some arguments in a folder; `check` is the exit code it must have."""
    from ftbench.cli import main

    out, err = (TextIOWrapper(BytesIO(), "utf-8", newline="") for _ in range(2))
    with (
        chdir(cwd),
        patch.object(sys, "argv", ["ftbench", *map(str, arguments)]),
        patch.dict(os.environ),
        redirect_stdout(out),
        redirect_stderr(err),
        warnings.catch_warnings(),
    ):
        # What an interpreter of its own would do.
        warnings.simplefilter("ignore")
        try:
            main()
        except SystemExit as end:
            code = end.code
    said = []
    for stream in (out, err):
        stream.flush()
        said.append(stream.buffer.getvalue().decode())
    if check is not None:
        assert code == check, "".join(said)
    return Done(code, *said)
