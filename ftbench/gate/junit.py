"""Format the checks of a gate as JUnit XML, in the dialect that Jenkins, GitLab and Surefire read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from .checks import several_backbones

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .checks import Check

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_KINDS = {"regressed": "failure", "not comparable": "error", "missing": "error"}


def junit(checks: Sequence[Check], suite: str, *, strict: bool = False) -> str:
    """Return JUnit XML with a test suite per task column and a test case per check.

    A regression is a failure; a missing or not comparable value is an error; a check that does not count for the
    exit code is skipped. An inconclusive check is skipped, and a changed one passes with its message as output;
    with `strict`, both are failures.
    """
    backbone = several_backbones(checks)
    root = ET.Element("testsuites", name=_xml(suite))
    for target in dict.fromkeys(check.place.target for check in checks):
        cases = [
            _case(check, suite, strict=strict, backbone=backbone) for check in checks if check.place.target == target
        ]
        counts = {
            kind: str(sum(case.find(kind) is not None for case in cases)) for kind in ("failure", "error", "skipped")
        }
        element = ET.SubElement(
            root,
            "testsuite",
            name=_xml(f"{suite}.{target}"),
            tests=str(len(cases)),
            failures=counts["failure"],
            errors=counts["error"],
            skipped=counts["skipped"],
            time="0",
        )
        element.extend(cases)
    for name, attribute in (("testsuite", "tests"), ("testsuite", "failures"), ("testsuite", "errors")):
        root.set(attribute, str(sum(int(element.get(attribute, "0")) for element in root.findall(name))))
    ET.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(check: Check, suite: str, *, strict: bool, backbone: bool) -> ET.Element:
    place = check.place
    about = f"{check.metric}{f' of {check.task}' if check.task else ''}"
    case = ET.Element(
        "testcase",
        classname=_xml(f"{suite}.{place.target}"),
        name=_xml(f"{about}, {place.strategy}, {place.backbone}"),
        time="0",
    )
    kind = _kind(check, strict=strict)
    if kind is None:
        ET.SubElement(case, "system-out").text = _xml(f"{check.verdict}: {check.message}")
        return case
    finding = check.finding(backbone=backbone)
    element = ET.SubElement(case, kind, message=_xml(finding))
    if kind != "skipped":
        element.set("type", check.verdict)
    element.text = _xml(f"{check.verdict}: {finding}")
    return case


def _kind(check: Check, *, strict: bool) -> str | None:
    if not check.gating:
        return "skipped"
    if check.verdict in ("inconclusive", "changed") and strict:
        return "failure"
    return _KINDS.get(check.verdict) or ("skipped" if check.verdict == "inconclusive" else None)


def _xml(text: str) -> str:
    """Replace characters that XML 1.0 cannot represent."""
    return _NOT_XML.sub("�", text)
