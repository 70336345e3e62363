"""What does not enter a record: where on this machine anything lies, who uses it, and what only the environment should hold."""

from __future__ import annotations

import os
import re
import socket
import sys
import sysconfig
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .record import Record

_HOMES = re.compile(r"(?<![\w/])/(?:home|Users)/[^/\s\"':]+")
_FILE = re.compile(r'File "/[^"\n]*/([^/"\n]+/[^/"\n]+)"')
_SECRET = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|(?:API|ACCESS|PRIVATE)_?KEY|_KEY$|_PAT$", re.IGNORECASE)
_SHORTEST = 8
"""Letters a secret has at least: shorter values are words."""
_EVERYONE = {"", "root", "user", "runner", "ubuntu", "debian", "localhost", "nobody"}
"""Names that tell nothing."""


def discreet(record: Record) -> Record:
    """Give a record in which paths of the user's begin with `~`, and in whose failure nothing tells of the machine.

    What a suite names stays as it is beside that: options are what was run.
    """
    failure = record.failure
    if failure is not None:
        trace = failure.traceback
        failure = replace(
            failure, message=discreet_text(failure.message), traceback=None if trace is None else discreet_text(trace)
        )
    earlier = tuple(replace(attempt, message=discreet_text(attempt.message)) for attempt in record.earlier)
    measurements = tuple(
        m if m.reason is None else replace(m, reason=discreet_text(m.reason)) for m in record.measurements
    )
    return replace(
        record,
        trial=without_home(record.trial),
        provenance=without_home(record.provenance),
        failure=failure,
        measurements=measurements,
        earlier=earlier,
    )


def without_home(value: Any) -> Any:
    """Write the user's home folder as `~`, in a text or in every text of a JSON value."""
    if isinstance(value, str):
        return _home().sub("~", value)
    if isinstance(value, dict):
        return {key: without_home(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_home(item) for item in value]
    return value


def discreet_text(text: str) -> str:
    """Take out of a message, a traceback or the end of a log: folders, secrets of the environment, names of user and host.

    Files are named from the folder of their package, or from the working directory.
    """
    for name, value in os.environ.items():
        if _SECRET.search(name) and len(value) >= _SHORTEST:
            text = text.replace(value, f"[{name}]")
    text = without_home(text)
    for root in _roots(str(Path.cwd())):
        text = text.replace(f"{without_home(root)}/", "")
    text = _FILE.sub(r'File "…/\1"', _HOMES.sub("~", text))
    # However short the host's name is, after a user's it is one.
    text = re.sub(rf"@{re.escape(socket.gethostname())}(?![\w-])", "@[host]", text)
    for name, what in _names().items():
        text = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", what, text)
    return text


@cache
def _home() -> re.Pattern[str]:
    """Find the home folder where it begins a path; nothing where it is the root of the machine."""
    homes = {str(Path("~").expanduser()), str(Path("~").expanduser().resolve())} - {"/", "~", "."}
    return (
        re.compile(rf"(?:{'|'.join(map(re.escape, sorted(homes)))})(?=/|$|[\s\"':,)])")
        if homes
        else re.compile(r"(?!)")
    )


@cache
def _roots(working: str) -> list[str]:
    """List the folders that code and temporary files lie in, the longest first."""
    paths = sysconfig.get_paths()
    places = [
        *sys.path,
        *(paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")),
        working,
        sys.prefix,
        tempfile.gettempdir(),
    ]
    known = {str(Path(place).absolute()) for place in places if place}
    homes = {"/", str(Path("~").expanduser())}
    return sorted(known - homes, key=len, reverse=True)


@cache
def _names() -> dict[str, str]:
    """Give the names of user and host, where they tell anything."""
    users = {os.environ.get(name, "") for name in ("USER", "LOGNAME", "USERNAME")}
    host = socket.gethostname()
    named = dict.fromkeys(users, "[user]") | {host: "[host]", host.partition(".")[0]: "[host]"}
    return {
        name: what
        for name, what in sorted(named.items(), key=lambda one: -len(one[0]))
        if len(name) > 2 and name not in _EVERYONE
    }
