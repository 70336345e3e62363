"""What a model is asked for: it decides the head, the shape of the labels, and which strategies can serve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Answer = Literal["class", "labels", "number", "choice", "tags", "span", "transcript"]

ANSWERS: Mapping[Answer, str] = {
    "class": "one class of several",
    "labels": "any of several classes, each by itself",
    "number": "a number",
    "choice": "one of several texts",
    "tags": "a class for each word",
    "span": "a piece of a text",
    "transcript": "the words that are spoken",
}
"""Answer → what it is, in words."""

POOLED: frozenset[Answer] = frozenset({"class", "labels", "number"})
"""Answers of a head that sums the whole input up; one network serves all three."""
