"""Timing: what is measured, and what is made of it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from minicaffe.checking.timing import LayerTime, Spread, Throughput, Times, in_all, measure, per_layer
from minicaffe.checking.timing_report import as_json, as_text
from minicaffe.net import Net

from ..support.running import PROTOTXT

DIGITS = PROTOTXT / "digits" / "train_test.prototxt"


@pytest.fixture(scope="module")
def net() -> Net:
    net = Net(DIGITS, phase="TRAIN", keep="needed", seed=1)
    net.forward()
    net.backward()
    return net


def within(times: Times) -> bool:
    """Whether the layers' times fit into those of the passes."""
    return bool(
        (times.forward.sum(0) <= times.forward_pass).all()
        and (times.backward.sum(0) <= times.backward_pass).all()
        and (times.stage + times.forward_pass + times.backward_pass).sum() <= times.total
    )


def test_layers_fit_into_passes_and_passes_into_the_whole(net):
    times = measure(net, 3)
    assert within(times)
    assert (times.forward > 0).all()
    times.forward[0] += times.forward_pass
    assert not within(times)  # the check can fail


def test_each_time_is_between_its_own_two_looks_at_the_clock(net):
    """A clock that goes one second per look."""
    told: list[tuple[int, float]] = []
    count = len(net.layers)
    before = net.passes
    times = measure(net, 2, lambda j, s: told.append((j, s)), clock=itertools.count(0.0).__next__)
    assert net.passes == before + 2
    assert times.forward.shape == times.backward.shape == (count, 2)
    assert (times.forward == 1).all() and (times.backward == 1).all() and (times.stage == 1).all()
    assert (times.forward_pass == 2 * count + 1).all() and (times.backward_pass == 2 * count + 1).all()
    assert told == [(1, 4 * count + 2), (2, 4 * count + 2)]
    assert times.total == 2 * (4 * count + 4) + 1


def test_spread_is_in_milliseconds():
    assert Spread.of(np.array([0.001, 0.002, 0.003, 0.004, 0.010])) == (3, 1, 2, 4, 4)
    assert Spread.of(np.array([0.002])) == (2, 2, 2, 2, 2)


def work(ms: float, flops: int | None, moved: int | None) -> Throughput:
    return Throughput(Spread.of(np.array([ms / 1e3])), flops, moved)


def test_rates():
    assert work(2.0, 4_000_000, 6_000_000).gflop_per_s == pytest.approx(2)
    assert work(2.0, 4_000_000, 6_000_000).gbyte_per_s == pytest.approx(3)
    assert work(2.0, None, 0).gflop_per_s is None
    assert work(2.0, None, 0).gbyte_per_s == 0
    assert work(0.0, 1, 1).gflop_per_s is None


def one(ms: float) -> Times:
    """Times of one layer in one iteration, each direction."""
    each, whole = np.full((1, 1), ms / 1e3), np.full(1, ms / 1e3)
    return Times(each, each, whole, whole, whole, 3 * ms / 1e3)


def test_in_all_is_unknown_where_a_part_is():
    known = LayerTime("a", "ReLU", False, [(2,)], work(1, 10, 100), None)
    python = LayerTime("b", "Python", False, [(2,)], work(1, None, 5), work(1, None, None))
    assert in_all([known, known], one(7))[0] == work(7, 20, 200)
    assert in_all([known], one(7))[1] == work(7, 0, 0)
    assert in_all([known, python], one(7))[0] == work(7, None, 105)
    assert in_all([known, python], one(7))[1] == work(7, None, None)


def test_rows_of_a_net(net):
    rows = {row.name: row for row in per_layer(net, measure(net, 1))}
    assert list(rows) == [layer.name for layer in net.layers]
    conv = rows["conv1"]
    assert conv.type == "Convolution" and conv.tops == [net.blobs["conv1"].shape]
    taps = np.prod(net.params["conv1"][0].shape[1:])
    assert conv.forward.flops == 2 * net.blobs["conv1"].count * taps
    assert conv.backward.flops == conv.forward.flops + 2 * net.blobs["conv1"].count  # dW and db; no dx
    source = next(row for row in rows.values() if row.type == "Data")
    assert source.backward is None and source.ms == source.forward.ms.median
    assert conv.ms == conv.forward.ms.median + conv.backward.ms.median


def table(rows: list[LayerTime], **options) -> list[list[str]]:
    lines = as_text(rows, one(4), **options).split("\n\n")[0].splitlines()
    return [line.split() for line in lines]


def test_table():
    rows = [
        LayerTime("in", "Input", False, [(2, 3), (2,)], work(0.0, 0, 0), None),
        LayerTime("x_split", "Split", True, [(2, 3)] * 2, work(0.5, 0, 0), work(0.5, 600_000, 1_200_000)),
        LayerTime("code", "Python", False, [()], work(1, None, None), work(2, None, None)),
        LayerTime("ip", "InnerProduct", False, [(2, 5)], work(2, 4_000_000_000, 5_000), work(2, 8_000, 0)),
    ]
    head, *body = table(rows)
    assert head[:8] == "layer type top forward ms backward ms %".split()
    assert body[0] == ["in", "Input", "2x3", "2", "0.000", "-", "0.0", "-", "-", "-", "-"]
    assert body[1] == "x_split Split (automatic) 2 of 2x3 0.500 0.500 12.5 1.2 2.4".split()
    assert body[2] == "code Python 1 1.000 2.000 37.5 - - - -".split()
    assert body[3] == "ip InnerProduct 2x5 2.000 2.000 50.0 2000 0.0025 0.004".split()
    assert body[4] == "total 4.000 4.000 100.0 - - - -".split()
    ordered = table(rows, slowest_first=True)
    assert [line[0] for line in ordered] == ["layer", "ip", "code", "x_split", "in", "total"]


def test_passes_below_the_table_and_what_the_columns_mean(net):
    times = measure(net, 2)
    _, passes, legend = as_text(per_layer(net, times), times).split("\n\n")
    narrow = as_text(per_layer(net, times), times, width=66)
    assert "GFLOP/s" in legend and "GFLOP/s" not in narrow and max(map(len, narrow.splitlines())) <= 66
    names = [line.split("  ")[0] for line in passes.splitlines()[1:]]
    assert names == ["forward pass", "backward pass", "both", "next batch, before"]
    assert "two operations per multiply-add" in legend
    assert max(map(len, legend.splitlines())) <= 110


def test_json(net):
    times = measure(net, 4)
    content = as_json(net, per_layer(net, times), times)
    machine = content["machine"]
    assert machine["cpu"] and machine["dtype"] == "float32" and machine["Threads used"]
    assert {"minicaffe", "python", "numpy", "numba"} <= set(machine["versions"])
    assert content["net"] == {"file": str(DIGITS), "name": net.name, "phase": "TRAIN", "batch": 64}
    assert content["iterations"] == 4
    layers = {layer["name"]: layer for layer in content["layers"]}
    conv = layers["conv1"]
    assert set(conv["forward_ms"]) == {"median", "min", "p25", "p75", "mean"}
    ordered = [conv["forward_ms"][name] for name in ("min", "p25", "median", "p75")]
    assert ordered == sorted(ordered)
    assert conv["backward_flops"] > 0 and conv["backward_bytes"] > 0
    assert layers[net.layers[0].name]["backward_ms"] is None
    totals = content["totals"]
    assert totals["forward_flops"] == sum(layer["forward_flops"] for layer in content["layers"])
    assert totals["backward_bytes"] == sum(layer["backward_bytes"] or 0 for layer in content["layers"])
    assert totals["all_ms"] == 1e3 * times.total
