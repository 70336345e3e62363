"""Run the command line in this process, without start-up costs, so that tests can call it thousands of times."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import warnings
from contextlib import chdir, redirect_stderr, redirect_stdout
from typing import NamedTuple
from unittest.mock import patch

from ftbench.cli import main


class Done(NamedTuple):
    """Exit code and output of a command."""

    code: int
    out: str
    err: str


def call(*arguments):
    """Run the command line with these arguments; return its exit code and output."""
    out, err = io.StringIO(), io.StringIO()
    with patch.object(sys, "argv", ["ftbench", *map(str, arguments)]), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            return Done(int(ended.code or 0), out.getvalue(), err.getvalue())
    raise AssertionError("the command line returned without SystemExit")


def run_in(folder, *arguments, check=None):
    """Run the command line in a folder, as a separate process would; assert the exit code `check` unless it is None.

    From the second run on, trials are forked from a warm server.
    """
    with chdir(folder), patch.dict(os.environ), warnings.catch_warnings():
        # Pytest's warning filters would not apply in a separate process.
        warnings.simplefilter("ignore")
        done = call(*arguments)
    if check is not None:
        assert done.code == check, done.out + done.err
    return subprocess.CompletedProcess(arguments, *done)


def refused(*arguments, lines=1):
    """Run a command that must fail with exit code 2 and an error of `lines` lines; return the error."""
    done = call(*arguments)
    assert done.code == 2, done
    assert done.err.startswith("error: ")
    assert len(done.err.splitlines()) == lines, done.err
    assert "Traceback" not in done.err
    return done.err
