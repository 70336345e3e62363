"""Render templates, and prepare the style sheets and scripts that pages contain."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_TEMPLATES = Path(__file__).parent / "templates"


@cache
def environment() -> Environment:
    """Return the template environment, which reads each template once."""
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def lean(name: str) -> str:
    """Read a template file without its indentation and comment lines."""
    lines = (line.strip() for line in (_TEMPLATES / name).read_text(encoding="utf-8").splitlines())
    text = "\n".join(line for line in lines if line and not line.startswith("//"))
    return re.sub(r": (?=[^;{}]*[;}])", ":", re.sub(r" ?([{};,]) ?", r"\1", text)) if name.endswith(".css") else text


def content_hash(text: str) -> str:
    """Return the hash by which a content security policy allows an inline style sheet or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
