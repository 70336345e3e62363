"""The command line in this process: what a command costs is then what it does, so that it can be called ten thousand times."""

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
    """How a command ended."""

    code: int
    out: str
    err: str


def call(*arguments):
    """Run the command line as the shell would."""
    out, err = io.StringIO(), io.StringIO()
    with patch.object(sys, "argv", ["ftbench", *map(str, arguments)]), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            return Done(int(ended.code or 0), out.getvalue(), err.getvalue())
    raise AssertionError("the command line ends by exiting")


def run_in(folder, *arguments, check=None):
    """Run the command line in a folder, as in a process of its own; `check` is the exit code it must have.

    Trials are forked from a server that is warm from the second run on.
    """
    with chdir(folder), patch.dict(os.environ), warnings.catch_warnings():
        # What an interpreter of its own would do.
        warnings.simplefilter("ignore")
        done = call(*arguments)
    if check is not None:
        assert done.code == check, done.out + done.err
    return subprocess.CompletedProcess(arguments, *done)


def refused(*arguments, lines=1):
    """Run a command that must refuse: exit code 2, and one line unless told otherwise; gives what it says."""
    done = call(*arguments)
    assert done.code == 2, done
    assert done.err.startswith("error: ")
    assert len(done.err.splitlines()) == lines, done.err
    assert "Traceback" not in done.err
    return done.err
