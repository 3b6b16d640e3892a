"""Nets and solvers, field by field."""

from __future__ import annotations

import pytest

from minicaffe.checking.diff.fields import Difference, differences
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter, SolverParameter


def found(first: str, second: str, kind=NetParameter) -> list[tuple[str, ...]]:
    one, other = (text.parse(source, kind) for source in (first, second))
    assert differences(one, one) == differences(other, other) == []
    swapped = [(row.layer, row.field, row.second, row.first) for row in differences(other, one)]
    rows = [tuple(row) for row in differences(one, other)]
    assert sorted(rows) == sorted(swapped) or "order" in str(rows)
    return rows


CONV = 'layer { name: "c" type: "Convolution" bottom: "x" top: "y" %s }'


@pytest.mark.parametrize(
    ("first", "second", "rows"),
    [
        (
            "convolution_param { num_output: 2 }",
            "convolution_param { num_output: 3 }",
            [("convolution_param.num_output", "2", "3")],
        ),
        ("convolution_param { bias_term: true }", "", []),  # the default
        (
            "convolution_param { bias_term: false }",
            "",
            [("convolution_param.bias_term", "false", "true")],
        ),
        (
            "batch_norm_param { use_global_stats: false }",  # has no default
            "",
            [("batch_norm_param.use_global_stats", "false", "not set")],
        ),
        (
            "convolution_param { kernel_size: [3, 5] }",
            "convolution_param { kernel_size: 3 }",
            [("convolution_param.kernel_size[1]", "5", "not set")],
        ),
        (
            "param { lr_mult: 1 decay_mult: 0.5 }",
            "param { lr_mult: 2 } param { lr_mult: 0 }",
            [
                ("param[0].lr_mult", "1", "2"),
                ("param[0].decay_mult", "0.5", "1"),
                ("param[1]", "not set", "{ lr_mult: 0 }"),
            ],
        ),
        (
            "include { phase: TRAIN }",
            "include { phase: TEST }",
            [("include[0].phase", "TRAIN", "TEST")],
        ),
        (
            'convolution_param { weight_filler { type: "xavier" } }',
            "",
            [("convolution_param.weight_filler.type", "'xavier'", "'constant'")],
        ),
    ],
)
def test_fields_of_a_layer(first, second, rows):
    assert found(CONV % first, CONV % second) == [("c", *row) for row in rows]


def test_layers():
    a, b = (f'layer {{ name: "{name}" type: "ReLU" }}' for name in "ab")
    assert found(a + b, a) == [("b", "layer", "ReLU", "not set")]
    assert found(a + b, b + a) == [("", "order of layers", "a", "b")]
    assert found('name: "n"' + a, 'name: "m"' + a) == [("", "name", "'n'", "'m'")]
    assert found(a + a, a) == [("a", "layer", "ReLU", "not set")]


def test_solvers():
    rows = found('net: "a" type: "SGD"', 'net: "a" base_lr: 0.1 stepvalue: 5', SolverParameter)
    assert rows == [("", "base_lr", "not set", "0.1"), ("", "stepvalue[0]", "not set", "5")]


def test_long_values_are_cut():
    (row,) = differences(NetParameter(name="a" * 99), NetParameter(name="b"))
    assert row == Difference("", "name", "'" + "a" * 59 + "...", "'b'")
