"""Text from elsewhere, as it may be shown on a terminal: what would move the cursor or break a line is written out."""

from __future__ import annotations

import re

_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def visible(text: str, keep: str = "") -> str:
    r"""Write control characters and halves of characters as escapes such as `\x1b`, but for those in `keep`."""
    return _HIDDEN.sub(lambda found: found[0] if found[0] in keep else found[0].encode("unicode_escape").decode(), text)
