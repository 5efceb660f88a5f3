"""What counts as the words of a text: for the common truth, and for the tools that have words of their own.

Re-made from each tool's documentation, not taken from its code: where a tool disagrees with its own words, that shows.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Callable

WIDTH = 5
# One list of words per message; the roles are those of the messages.
Words = Callable[[list[str], list[str]], list[str]]

PUNCTUATION = str.maketrans("", "", string.punctuation)
NEITHER_PUNCTUATION_NOR_SPACE = re.compile(rf"[^{re.escape(string.punctuation)}\s]+", re.ASCII)
# Scripts without spaces and code points past U+FFFF stand alone, one by one (curate/dedup/minhash.py, "Tokens").
ALONE = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fff\u3005-\u3007\u3021-\u302f\u3031-\ua4cf\uac00-\ud7ff"
    "\uf900-\ufaff\uff66-\uffdc\U00010000-\U0010ffff"
)
CURATE = re.compile(rf"[{ALONE}]|[^\W{ALONE}]+")


def common(roles: list[str], contents: list[str]) -> list[str]:
    """Letters, digits and `_`, in lower case; also what datasketch, rensa and text-dedup get or take."""
    return re.findall(r"\w+", "\n".join(contents).lower())


def curate(roles: list[str], contents: list[str]) -> list[str]:
    """A word for the role before each message."""
    words: list[str] = []
    for role, content in zip(roles, contents, strict=True):
        words += (f"<{role}>", *CURATE.findall(content.lower()))
    return words


def daft(roles: list[str], contents: list[str]) -> list[str]:
    """`normalize` with all its options: ASCII punctuation vanishes and joins what it stood between."""
    text = unicodedata.normalize("NFD", "\n".join(contents).translate(PUNCTUATION).lower())
    return text.split()


def gaoya(roles: list[str], contents: list[str]) -> list[str]:
    """ASCII punctuation and white space separate, `_` and `'` among them."""
    return NEITHER_PUNCTUATION_NOR_SPACE.findall("\n".join(contents).lower())


KINDS: dict[str, Words] = {"common": common, "curate": curate, "daft": daft, "gaoya": gaoya}
