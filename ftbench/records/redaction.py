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
    from collections.abc import Callable, Mapping

    from .record import Record

_HOMES = re.compile(r"(?<![\w/])/(?:home|Users)/[^/\s\"':]+")
_FILE = re.compile(r'File "/[^"\n]*/([^/"\n]+/[^/"\n]+)"')
_SECRET = re.compile(
    r"TOKEN(?!IZ)|SECRET|PASSW|PASSPHRASE|CREDENTIAL|COOKIE|WEBHOOK|KEY(?:S|_ID)?$|(?:API|ACCESS|PRIVATE)_?KEY"
    r"|(?:^|_)(?:DSN|PAT|PWD)$",
    re.IGNORECASE,
)
"""Names of environment variables whose values are secrets."""
_NO_SECRETS = {"PWD", "OLDPWD"}
_SHORT, _SHORTEST = 8, 3
"""Shorter secrets are replaced as whole words only, as they may be parts of others; even shorter ones not at all."""
_ORDINARY = {"true", "false", "yes", "none", "null", "off", "auto", "default"}
_SHAPES: Mapping[str, str] = {
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)": "[private key]",
    r"(?<=://)[^\s/'\"<>]+@": "[credentials]@",
    r"https://(?:hooks\.slack\.com/|discord(?:app)?\.com/api/webhooks/|[\w.-]*office\.com/webhook)[^\s'\"<>]*": (
        "[webhook]"
    ),
    r"\b(?:gh[a-z]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|hf_[A-Za-z0-9]{16,}|npm_[A-Za-z0-9]{30,}"
    r"|sk-(?=[\w-]*\d)[\w-]{16,}|xox[a-z]-[\w-]{8,}|(?:AKIA|ASIA)[0-9A-Z]{12,}|AIza[\w-]{30,}|pypi-[\w-]{30,}"
    r"|eyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?)": "[token]",
    r"(?i:(?<=bearer )|(?<=authorization: basic )|(?<=cookie: ))[^\s'\"<>]{6,}": "[token]",
    r"(?i:(?<=[?&]sig=)|(?<=[?&]key=)|(?<=[?&]token=)|(?<=access_token=)|(?<=auth_token=)|(?<=signature=)"
    r"|(?<=secret=)|(?<=passwd=)|(?<=password=)|(?<=password: )|(?<=pwd=)|(?<=api_key=)|(?<=apikey=))"
    r"[^\s&;,'\"<>]+": "[secret]",
}
"""Pattern of a secret that can be recognised wherever it came from → its replacement."""
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
        provenance=_each_text(record.provenance, lambda text: without_secrets(without_home(text))),
        failure=failure,
        measurements=measurements,
        earlier=earlier,
    )


def without_home(value: Any) -> Any:
    """Replace the user's home folder by `~`, in a text or in every text of a JSON value."""
    return _each_text(value, lambda text: _home().sub("~", text))


def without_secrets(text: str) -> str:
    """Replace tokens, private keys, webhooks, and credentials in addresses, wherever they came from."""
    return _shapes().sub(lambda found: _replacements()[found.lastgroup or ""], text)


@cache
def _shapes() -> re.Pattern[str]:
    return re.compile("|".join(f"(?P<s{number}>{shape})" for number, shape in enumerate(_SHAPES)), re.DOTALL)


@cache
def _replacements() -> dict[str, str]:
    return {f"s{number}": what for number, what in enumerate(_SHAPES.values())}


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    """Return a JSON value with every text changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _each_text(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_each_text(item, change) for item in value]
    return value


def _without_values(text: str) -> str:
    """Replace the values of secret environment variables, the longest first."""
    known = [(value, name) for name, value in os.environ.items() if _SECRET.search(name) and name not in _NO_SECRETS]
    for value, name in sorted(known, key=lambda one: -len(one[0])):
        if len(value) >= _SHORT:
            text = text.replace(value, f"[{name}]")
        elif len(value) >= _SHORTEST and value.lower() not in _ORDINARY:
            text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", f"[{name}]", text)
    return text


def redacted_text(text: str) -> str:
    """Redact folders, secrets of the environment, and user and host names from a message, a traceback or a log.

    File paths become relative to the folder of their package, or to the working directory.
    """
    text = without_home(without_secrets(_without_values(text)))
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
