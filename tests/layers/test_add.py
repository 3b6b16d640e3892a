"""Add: tests/layers/test_mul.py has what it has in common with Mul."""

from ..support.laws import Case

ADD = 'type: "Add"'

CASES = [
    Case(ADD, ((2, 3, 4, 5), (1, 3, 1, 1)), growing=(0, 9)),
    Case(ADD, ((2, 3, 2), (2, 3, 2))),
    Case(ADD, ((3, 1), (2, 3, 4)), growing=(9, 0)),
]
