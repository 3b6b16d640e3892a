"""Names and values from files, shown.

A layer may be called "\\x1b[2J": an escape sequence that clears the screen; a character that reverses what
follows it; a line end, behind which a line of our own is forged; a NUL, which no XML file may hold.  What
goes to a terminal, a log or a picture passes through `printable`.
"""

from __future__ import annotations


def printable(text: str, keep: str = "") -> str:
    """`text` with all that has no look of its own (categories C and Z of Unicode, but the space) as Python
    would write it in a string: \\x1b, \\n, \\u202e; characters in `keep` stay."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
