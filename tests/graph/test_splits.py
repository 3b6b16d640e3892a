"""Split insertion: names, order and loss weights are Caffe's."""

import pytest

from minicaffe.errors import ConfigError
from minicaffe.graph.splits import insert_splits
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter


def net(*layers: str) -> NetParameter:
    """Layers written 'name: bottoms > tops [rest]'."""
    lines = []
    for layer in layers:
        head, _, rest = layer.partition("[")
        name, _, flow = head.partition(":")
        bottoms, _, tops = flow.partition(">")
        lines.append(f'layer {{ name: "{name.strip()}"')
        lines += [f'bottom: "{b}"' for b in bottoms.split()] + [f'top: "{t}"' for t in tops.split()]
        lines.append(rest.rstrip("]") + " }")
    return text.parse(" ".join(lines), NetParameter)


def flow(param: NetParameter) -> list[str]:
    found = []
    for layer in param.layer:
        weights = f" {list(layer.loss_weight)}" if layer.loss_weight else ""
        found.append(f"{layer.name}: {' '.join(layer.bottom)} > {' '.join(layer.top)}{weights}")
    return found


def test_single_use_changes_nothing():
    given = net("data: > data label", "ip: data > ip", "loss: ip label > loss")
    assert insert_splits(given) == given


def test_two_readers():
    assert flow(insert_splits(net("data: > data", "a: data > a", "b: data > b"))) == [
        "data:  > data",
        "data_data_0_split: data > data_data_0_split_0 data_data_0_split_1",
        "a: data_data_0_split_0 > a",
        "b: data_data_0_split_1 > b",
    ]


def test_second_top_and_twice_in_one_layer():
    assert flow(insert_splits(net("in: > x y", "sum: y y > s", "out: s x > o"))) == [
        "in:  > x y",
        "y_in_1_split: y > y_in_1_split_0 y_in_1_split_1",
        "sum: y_in_1_split_0 y_in_1_split_1 > s",
        "out: s x > o",
    ]


def test_in_place_chain_passes_ownership_on():
    """Readers behind an in-place layer read its output; the split follows it."""
    assert flow(insert_splits(net("in: > x", "ip: x > h", "relu: h > h", "a: h > a", "b: h > b"))) == [
        "in:  > x",
        "ip: x > h",
        "relu: h > h",
        "h_relu_0_split: h > h_relu_0_split_0 h_relu_0_split_1",
        "a: h_relu_0_split_0 > a",
        "b: h_relu_0_split_1 > b",
    ]


def test_a_loss_weight_counts_as_a_reader_and_moves():
    assert flow(insert_splits(net("in: > x", "a: x > a [loss_weight: 3]", "b: a > b"))) == [
        "in:  > x",
        "a: x > a [0.0]",
        "a_a_0_split: a > a_a_0_split_0 a_a_0_split_1 [3.0, 0.0]",
        "b: a_a_0_split_1 > b",
    ]


def test_inserting_twice_changes_nothing_more():
    once = insert_splits(net("in: > x", "a: x > a [loss_weight: 3]", "b: a > b", "c: a x > c"))
    assert insert_splits(once) == once


def test_unknown_bottom_names_the_closest():
    with pytest.raises(ConfigError, match=r"layer 'ip' \(\): bottom 0 'dta' is no top.*did you mean 'data'"):
        insert_splits(net("in: > data label", "ip: dta > ip"))


def test_bottom_that_comes_later():
    with pytest.raises(ConfigError, match="layer 'b' produces it, but file order is execution order"):
        insert_splits(net("a: y > x", "b: > y"))
