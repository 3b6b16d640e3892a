"""Making names and values from files safe to show.

A layer's name may contain anything: an escape sequence that clears the screen ("\\x1b[2J"), a character that
reverses the text behind it, a line end that makes the rest look like a line of our own, or a NUL, which XML
files may not contain.  Whatever goes to a terminal, a log or a picture passes through `printable` first.
"""

from __future__ import annotations


def printable(text: str, keep: str = "") -> str:
    """`text` with every character that has no visible shape written as Python would write it in a string:
    \\x1b, \\n, \\u202e.  These are the characters of Unicode's categories C and Z except the space; those in
    `keep` stay as they are."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
