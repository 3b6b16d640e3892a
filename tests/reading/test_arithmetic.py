"""What is made of lines that were read: equations and tables."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.reading import arithmetic, table
from minicaffe.reading.page import Character, Page, TextLine, breaks


def line(text: str, top: float = 0, left: float = 0, certainty: float = 1.0) -> TextLine:
    """Characters 10 pixels apart, blanks as gaps."""
    characters, starts = [], []
    for k, c in enumerate(text):
        if c == " ":
            starts.append(len(characters))
            continue
        x = left + 10 * k
        corners = ((x, top), (x + 8, top), (x + 8, top + 12), (x, top + 12))
        characters.append(Character(c, certainty, corners, (x, top, x + 8, top + 12)))
    return TextLine(tuple(characters), tuple(starts))


def page(*texts: str, certainty: float = 1.0) -> Page:
    return Page(tuple(line(t, 20.0 * i, certainty=certainty) for i, t in enumerate(texts)), (400, 300))


@pytest.mark.parametrize(
    ("text", "right", "value"),
    [
        ("12+7=19", True, "19"),
        ("12+7=18", False, "19"),
        ("2+3×4=14", True, "14"),
        ("7÷2=3", False, "7/2 = 3.5"),
        ("8÷2÷2=2", True, "2"),
        ("-3+5=2", True, "2"),
        ("4=2+2=4", True, "4"),
        ("8-10=-2", True, "-2"),
        ("12+=19", None, "12 + is cut short"),
        ("=19", None, "nothing has no value"),
        ("4÷0=4", None, "a division by 0"),
    ],
)
def test_equations(text, right, value):
    found = arithmetic.check(text)
    assert (found.right, found.value) == (right, value)


@given(st.lists(st.tuples(st.sampled_from("+-×"), st.integers(0, 99)), max_size=5), st.integers(0, 99))
def test_as_python_computes(terms, first):
    text = str(first) + "".join(f"{act}{number}" for act, number in terms)
    assert arithmetic.value(text) == Fraction(eval(text.replace("×", "*")))


def test_sums_in_columns():
    (found,) = arithmetic.checks(page("12", "+7", "-4", "15"))
    assert found == arithmetic.Check(3, "12 + 7 - 4 = 15", True, "15")
    assert [c.right for c in arithmetic.checks(page("9", "×3", "28", "1+1=2"))] == [False, True]
    assert arithmetic.checks(page("12", "7", "19")) == []
    assert arithmetic.checks(page("8", "÷0", "19"))[0].right is None


def test_doubt_is_passed_on():
    assert not arithmetic.checks(page("1+1=2", certainty=0.5))[0].sure


def test_a_table():
    found = page("12   7 345", " 3      6 ", "44  19   8")
    assert table.table(found) == [["12", "7", "345"], ["3", "", "6"], ["44", "19", "8"]]
    assert table.as_csv([["12", ""], ["+", "7"]]) == "12,\n+,7\n"
    assert table.table(Page((), (10, 10))) == []


def test_lines():
    written = line("12 + 7", certainty=0.5)
    assert written.text == "12 + 7" and written.marked == "1?2? +? 7?"
    assert breaks([(0, 0, 8, 9), (10, 0, 18, 9), (40, 0, 48, 9)], 12) == (2,)
    assert page("12").as_json()["lines"][0]["characters"][1]["text"] == "2"
