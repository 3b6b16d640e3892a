"""Whether what was read is right: equations such as 12 + 7 = 19, and sums in columns.

× and ÷ go before + and -, and fractions are exact.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from .page import Page

ACTS: dict[str, Callable[[Fraction, int], Fraction]] = {
    "+": operator.add,
    "-": operator.sub,
    "×": operator.mul,
    "÷": operator.truediv,
}
TOKENS = re.compile(r"\d+|[+\-×÷=]")


class Check(NamedTuple):
    """An equation.

    line      the index of the (last) line that it stands on
    equation  as it was read
    right     whether it holds; None if it is none: 12 + = 19
    value     of its left side, or why there is none
    sure      whether all its characters are
    """

    line: int
    equation: str
    right: bool | None
    value: str
    sure: bool = True


def checks(page: Page) -> list[Check]:
    """Every equation of a page, in reading order: within a line, and in columns, where lines below a number
    begin with + - × ÷, and the next has the result."""
    texts = [line.text.replace(" ", "") for line in page.lines]
    sure = [all(c.sure for c in line.characters) for line in page.lines]
    found = [check(text, i)._replace(sure=sure[i]) for i, text in enumerate(texts) if "=" in text]
    for start, column in _columns(texts):
        found.append(column._replace(sure=all(sure[start : column.line + 1])))
    return sorted(found, key=lambda c: c.line)


def check(text: str, line: int = 0) -> Check:
    """Whether an equation holds: all sides between its equals signs have one value."""
    equation = spaced(text)
    try:
        values = [value(side) for side in text.split("=")]
    except (ValueError, ZeroDivisionError) as error:
        return Check(line, equation, None, str(error))
    return Check(line, equation, all(v == values[0] for v in values), spelled(values[0]))


def value(expression: str) -> Fraction:
    """Of numbers with + - × ÷ between them; ValueError for anything else, ZeroDivisionError for ÷ 0."""
    tokens = TOKENS.findall(expression)
    if "".join(tokens) != expression or not tokens:
        raise ValueError(f"{expression or 'nothing'} has no value")
    sign = 1
    if tokens[0] == "-":
        sign, tokens = -1, tokens[1:]
    numbers, operators = tokens[::2], tokens[1::2]
    well_formed = all(n.isdecimal() for n in numbers) and all(o in ACTS for o in operators)
    if len(numbers) != len(operators) + 1 or not well_formed:
        raise ValueError(f"{spaced(expression)} is cut short")
    total, term = Fraction(0), sign * Fraction(int(numbers[0]))
    for act, number in zip(operators, map(int, numbers[1:])):
        if act == "÷" and not number:
            raise ZeroDivisionError("a division by 0")
        if act in "×÷":
            term = ACTS[act](term, number)
        else:
            total, term = total + term, ACTS[act](Fraction(0), number)
    return total + term


def spaced(expression: str) -> str:
    """With blanks around signs."""
    return " ".join(TOKENS.findall(expression))


def spelled(number: Fraction) -> str:
    return str(number) if number.denominator == 1 else f"{number} = {float(number):.6g}"


def _columns(texts: Sequence[str]) -> Iterator[tuple[int, Check]]:
    """12, +7, 19 below one another: where each begins, and what it says."""
    start = 0
    while start < len(texts):
        end = start + 1
        while end < len(texts) and re.fullmatch(r"[+\-×÷]\d+", texts[end]):
            end += 1
        if end > start + 1 and texts[start].isdecimal() and end < len(texts) and texts[end].isdecimal():
            yield start, _column(texts[start : end + 1], end)
            start = end
        start += 1


def _column(texts: Sequence[str], line: int) -> Check:
    """Every line acts on what stands above it, so signs are taken in order."""
    total, equation = Fraction(int(texts[0])), spaced("".join(texts[:-1]) + "=" + texts[-1])
    for text in texts[1:-1]:
        if text[0] == "÷" and not int(text[1:]):
            return Check(line, equation, None, "a division by 0")
        total = ACTS[text[0]](total, int(text[1:]))
    return Check(line, equation, total == int(texts[-1]), spelled(total))
