"""Whether what was read is right: equations such as 12 + 7 = 19, and sums in columns.

× and ÷ go before + and -, and fractions are exact.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from .page import Page

OPERATORS = "+-×÷"
TOKENS = re.compile(r"\d+|[+\-×÷=]")


class Check(NamedTuple):
    """An equation.

    line      the index of the (last) line that it stands on
    equation  as it was read
    right     whether it holds; None if it is none: 12 + = 19
    value     of its left side, or why there is none
    """

    line: int
    equation: str
    right: bool | None
    value: str


def checks(page: Page) -> list[Check]:
    """Every equation of a page, in reading order: within a line, and in columns, where lines below a number
    begin with + - × ÷, and the next has the result."""
    texts = [line.text.replace(" ", "") for line in page.lines]
    found = [check(text, i) for i, text in enumerate(texts) if "=" in text]
    return sorted([*found, *_columns(texts)], key=lambda c: c.line)


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
    well_formed = all(n.isdecimal() for n in numbers) and all(o in OPERATORS for o in operators)
    if len(numbers) != len(operators) + 1 or not well_formed:
        raise ValueError(f"{spaced(expression)} is cut short")
    total, term = Fraction(0), sign * Fraction(int(numbers[0]))
    for operator, number in zip(operators, map(int, numbers[1:])):
        if operator == "×":
            term *= number
        elif operator == "÷":
            if not number:
                raise ZeroDivisionError("a division by 0")
            term /= number
        else:
            total, term = total + term, Fraction(number if operator == "+" else -number)
    return total + term


def spaced(expression: str) -> str:
    """With blanks around signs."""
    return " ".join(TOKENS.findall(expression))


def spelled(number: Fraction) -> str:
    return str(number) if number.denominator == 1 else f"{number} = {float(number):.6g}"


def _columns(texts: Sequence[str]) -> list[Check]:
    """12, +7, 19 below one another."""
    found = []
    start = 0
    while start < len(texts):
        end = start + 1
        while end < len(texts) and re.fullmatch(r"[+\-×÷]\d+", texts[end]):
            end += 1
        if end > start + 1 and texts[start].isdecimal() and end < len(texts) and texts[end].isdecimal():
            # In a column every line acts on what stands above it
            total, equation = Fraction(int(texts[start])), texts[start]
            for line in texts[start + 1 : end]:
                equation += line
                total = _acted(total, line[0], int(line[1:]))
            found.append(
                Check(end, spaced(f"{equation}={texts[end]}"), total == int(texts[end]), spelled(total))
            )
            start = end
        start += 1
    return found


def _acted(total: Fraction, operator: str, number: int) -> Fraction:
    if operator == "÷":
        return total / number if number else Fraction(0)
    return {"+": total + number, "-": total - number, "×": total * number}[operator]
