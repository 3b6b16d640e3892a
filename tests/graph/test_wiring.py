"""Names to blobs, and what may run in place."""

import pytest

from minicaffe.errors import ConfigError
from minicaffe.graph.wiring import check_in_place

from .nets import graph


def check(*layers: str) -> None:
    g = graph(*layers)
    reads = [node.kind.backward_reads for node in g.nodes]
    check_in_place(g.nodes, reads, [True] * len(g.nodes), owners(g))


def owners(g) -> list[int]:
    """Layers of type View share their bottom's memory with all their tops."""
    data_of = list(range(len(g.blob_names)))
    for node in g.nodes:
        if node.param.type == "View":
            for top in node.tops:
                data_of[top] = data_of[node.bottoms[0]]
    return data_of


def test_blobs_are_numbered_in_order_of_production():
    g = graph("Input in: > x y", "Op a: x > h", "Squash s: h > h", "Loss l: h y > loss")
    assert g.blob_names == ["x", "y", "h", "loss"]
    assert [(n.bottoms, n.tops) for n in g.nodes] == [([], [0, 1]), ([0], [2]), ([2], [2]), ([2, 1], [3])]
    assert g.inputs == [0, 1]
    assert g.outputs == [3]


def test_outputs_are_sorted_by_name_and_an_automatic_top_is_none():
    g = graph("Input in: > z y x w", "Loss l: y x >")
    assert [g.blob_names[b] for b in g.outputs] == ["w", "z"]
    assert g.blob_names[-1] == "(automatic)"


@pytest.mark.parametrize(
    "layer", ["Op b: x > h", "Op b: x h > u h2", "Op b: x h > h u"], ids=["again", "fine", "crossed"]
)
def test_a_name_produced_twice(layer):
    if layer.endswith("h2"):
        graph("Input in: > x", "Op a: x > h", layer)
        return
    with pytest.raises(ConfigError, match="'h' is already produced"):
        graph("Input in: > x", "Op a: x > h", layer)


def test_in_place_that_is_right():
    check("Input in: > x", "Op a: x > h", "Rectify r: h > h", "Rectify d: h > h", "Op b: h > o")
    check("Input in: > x", "Op a: x > h", "Squash r: h > h", "Op b: h > o")


def test_in_place_needs_the_class_to_allow_it():
    with pytest.raises(ConfigError, match=r"layer 'b' \(Op\): cannot run in place; hint"):
        check("Input in: > x", "Op a: x > h", "Op b: h > h")


def test_in_place_may_not_overwrite_what_an_earlier_gradient_needs():
    """Sigmoid, then ReLU in place on its top: Caffe computes a wrong gradient in silence."""
    with pytest.raises(ConfigError, match=r"on the top of layer 's' \(Squash\), which still needs"):
        check("Input in: > x", "Squash s: x > h", "Rectify r: h > h")


def test_a_sign_survives_only_layers_that_keep_it():
    with pytest.raises(ConfigError, match="top of layer 'r'"):
        check("Input in: > x", "Rectify r: x > h", "Squash s: h > h")


def test_without_backward_anything_may_be_overwritten():
    g = graph("Input in: > x", "Squash s: x > h", "Rectify r: h > h")
    check_in_place(g.nodes, [node.kind.backward_reads for node in g.nodes], [False] * 3, owners(g))


def test_views_do_not_hide_what_is_overwritten():
    """Sigmoid, a view of its top, TanH in place on the view."""
    with pytest.raises(ConfigError, match="on the top of layer 's'"):
        check("Input in: > x", "Squash s: x > s", "View v: s > v", "Squash t: v > v")
    check("Input in: > x", "Op s: x > s", "View v: s > v", "Squash t: v > v", "Op o: v > o")


def test_one_branch_of_a_split_may_not_overwrite_the_other():
    split = "Input in: > x", "Op a: x > a", "View s: a > u v"
    with pytest.raises(ConfigError, match="on the input of layer 'b'"):  # before: its gradient reads u
        check(*split, "Op b: u > b", "Rectify r: v > v")
    with pytest.raises(ConfigError, match="on the input of layer 'b'"):  # behind: it reads u itself
        check(*split, "Rectify r: v > v", "Op b: u > b")
    check(*split, "Sink b: u >", "Rectify r: v > v")
