"""The settings in a param_str, written as py-faster-rcnn and nets like it write them.

    'feat_stride': 16                                   a line for each
    'scales': !!python/tuple [4, 8, 16, 32]
    {'num_classes': 21, "images": "train2014"}          or all of them in braces

What is read is the part of YAML that such nets use: keys with values, which are numbers, words, texts in
quotes, true, false and null, and lists of these in brackets or parentheses.
"""

from __future__ import annotations

import re
from typing import Any

from ...errors import ConfigError

TOKEN = re.compile(
    r"""(?P<space>[ \t]+|!!python/tuple|\#[^\n]*)
    | (?P<text>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
    | (?P<mark>[{}\[\]():,\n])
    | (?P<word>(?:[^\s{}\[\]():,'"\#]|:(?=[^\s]))+)""",
    re.VERBOSE,
)
WORDS = {"true": True, "false": False, "null": None, "none": None}
CLOSING = {"[": "]", "(": ")", "{": "}"}
LONGEST = 60  # characters of the text that an error shows
MOST = 100  # braces and brackets
LARGEST = 2.0**31  # from here on a number is a word


def read(text: str) -> dict[str, Any]:
    """The settings; ConfigError for what is no list of them."""
    return _Reader(text.replace("\r", "\n").strip()).settings()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.tokens: list[tuple[str, str]] = []  # kind and text
        while self.at < len(text):
            found = TOKEN.match(text, self.at)
            if found is None:
                raise self._wrong(f"{text[self.at]!r}")
            if found.lastgroup != "space":
                self.tokens.append((str(found.lastgroup), found.group()))
            self.at = found.end()
        if sum(token in CLOSING for _, token in self.tokens) > MOST:
            raise self._wrong(f"more than {MOST} braces and brackets")
        self.tokens.reverse()  # the next is the last

    def settings(self) -> dict[str, Any]:
        close = "}" if self._is("{") else None
        if close:
            self._next()
        found = self._mapping(close)
        while self._is("\n"):
            self._next()
        if self.tokens:
            raise self._wrong(f"{self.tokens[-1][1]!r} behind the settings")
        return found

    def _mapping(self, close: str | None) -> dict[str, Any]:
        """Settings up to `close`, or to the end."""
        found: dict[str, Any] = {}
        while True:
            while self._is(",") or self._is("\n"):
                self._next()
            if self._is(close):
                self._next()
                return found
            if not self.tokens and close is None:
                return found
            key = str(self._scalar(*self._next()))
            if not self._is(":"):
                raise self._wrong(f"no colon behind {key!r}")
            self._next()
            if key in found:
                raise self._wrong(f"{key!r} twice")
            found[key] = self._value()
            if not (self._is(",") or self._is("\n") or self._is(close) or not self.tokens):
                raise self._wrong(f"{self.tokens[-1][1]!r} behind {key!r}")

    def _value(self) -> Any:
        kind, token = self._next()
        if token == "{":
            return self._mapping("}")
        if token not in CLOSING:
            return self._scalar(kind, token)
        items: list[Any] = []
        while True:
            while self._is(",") or self._is("\n"):
                self._next()
            if self._is(CLOSING[token]):
                self._next()
                return items
            items.append(self._value())

    def _scalar(self, kind: str, token: str) -> Any:
        if kind == "text":
            return re.sub(r"\\(.)", r"\1", token[1:-1])
        if kind != "word":
            raise self._wrong(f"{token!r}")
        if token.lower() in WORDS:
            return WORDS[token.lower()]
        for number in (int, float):
            try:
                value = number(token)
            except ValueError:
                continue
            if abs(value) < LARGEST:  # nor is it infinite or NaN
                return value
        return token

    def _is(self, token: str | None) -> bool:
        return bool(self.tokens) and self.tokens[-1][1] == token and self.tokens[-1][0] == "mark"

    def _next(self) -> tuple[str, str]:
        if not self.tokens:
            raise self._wrong("its end")
        return self.tokens.pop()

    def _wrong(self, what: str) -> ConfigError:
        shown = self.text if len(self.text) <= LONGEST else self.text[:LONGEST] + "..."
        return ConfigError(
            f"python_param.param_str cannot be read: {what} in {shown!r}",
            hint="expected settings such as 'feat_stride': 16, one on each line or all in braces",
        )
