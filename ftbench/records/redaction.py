"""Redact paths, user names, host names and secrets from records."""

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
_MIN_LENGTH = 8
"""Minimum length of a secret; shorter values may be ordinary words."""
_COMMON_NAMES = {"", "root", "user", "runner", "ubuntu", "debian", "localhost", "nobody"}
"""Names of users and hosts that identify nobody."""


def redacted(record: Record) -> Record:
    """Return the record with the home folder written as `~` everywhere and with its messages redacted.

    Values from the suite are otherwise kept: options define what was run.
    """
    failure = record.failure
    if failure is not None:
        trace = failure.traceback
        failure = replace(
            failure, message=redacted_text(failure.message), traceback=None if trace is None else redacted_text(trace)
        )
    earlier = tuple(replace(attempt, message=redacted_text(attempt.message)) for attempt in record.earlier)
    measurements = tuple(
        m if m.reason is None else replace(m, reason=redacted_text(m.reason)) for m in record.measurements
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
    """Replace the user's home folder by `~`, in a text or in every text of a JSON value."""
    if isinstance(value, str):
        return _home().sub("~", value)
    if isinstance(value, dict):
        return {key: without_home(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_home(item) for item in value]
    return value


def redacted_text(text: str) -> str:
    """Redact folders, secrets of the environment, and user and host names from a message, a traceback or a log.

    File paths become relative to the folder of their package, or to the working directory.
    """
    for name, value in os.environ.items():
        if _SECRET.search(name) and len(value) >= _MIN_LENGTH:
            text = text.replace(value, f"[{name}]")
    text = without_home(text)
    for root in _roots(str(Path.cwd())):
        text = text.replace(f"{without_home(root)}/", "")
    text = _FILE.sub(r'File "…/\1"', _HOMES.sub("~", text))
    # `user@host` is replaced even if the host name is too short or too common to be replaced on its own.
    text = re.sub(rf"@{re.escape(socket.gethostname())}(?![\w-])", "@[host]", text)
    for name, what in _names().items():
        text = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", what, text)
    return text


@cache
def _home() -> re.Pattern[str]:
    """Return a pattern for the home folder at the start of a path; it matches nothing if that folder is the root."""
    homes = {str(Path("~").expanduser()), str(Path("~").expanduser().resolve())} - {"/", "~", "."}
    return (
        re.compile(rf"(?:{'|'.join(map(re.escape, sorted(homes)))})(?=/|$|[\s\"':,)])")
        if homes
        else re.compile(r"(?!)")
    )


@cache
def _roots(working: str) -> list[str]:
    """List the folders of code and temporary files, the longest first."""
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
    """Return the names of user and host that identify somebody → their replacement."""
    users = {os.environ.get(name, "") for name in ("USER", "LOGNAME", "USERNAME")}
    host = socket.gethostname()
    named = dict.fromkeys(users, "[user]") | {host: "[host]", host.partition(".")[0]: "[host]"}
    return {
        name: what
        for name, what in sorted(named.items(), key=lambda one: -len(one[0]))
        if len(name) > 2 and name not in _COMMON_NAMES
    }
