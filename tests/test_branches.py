"""Steps captured on streams side by side: the same bits as one behind the other, in every order of nodes."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicaffe.device.gpu_memory import GpuMemory
from minicaffe.graph import hazards
from minicaffe.graph.branches import SERIAL
from minicaffe.net import Net
from minicaffe.proto import text, upgrade
from minicaffe.proto.schema import NetParameter

from .support import emulator
from .support.emulator import EmulatedCuda
from .support.emulator.cupy import EmulatedCupy
from .support.emulator.libraries import FakeCublas, FakeCudnn
from .support.running import PROTOTXT
from .test_passes import DATA, conv, layer, nets, pool

pytestmark = pytest.mark.skipif(not emulator.available(), reason="the CUDA emulator needs Linux and g++")

REPLAYS = 4  # each in another order


class Serial(EmulatedCuda):
    """All on one stream."""

    most_branches = 1


def with_libraries(kind: type[EmulatedCuda]) -> EmulatedCuda:
    def enqueue(stream, action) -> None:
        device.cupy.streams[stream].enqueue(action)

    libraries = {"cublas": FakeCublas(enqueue), "cudnn": FakeCudnn(enqueue)}
    device = kind(libraries=libraries, orders=1)
    return device


def train(param: NetParameter, device: EmulatedCuda, **options) -> tuple[Net, list[dict[str, np.ndarray]]]:
    """What some passes give; all but the first are replayed."""
    net = Net(param, phase="TRAIN", device=device, seed=1, keep="needed", **options)

    def body() -> None:
        net.clear_param_diffs()
        net.run_forward()
        net.run_backward()

    found: list[dict[str, np.ndarray]] = []
    step = body
    for _ in range(1 + REPLAYS):
        net.stage()
        step()
        if not found:
            step = device.capture(body)
        values = {name: net.device.get(net.blobs[name].data).copy() for name in net.outputs}
        found.append(values | {"gradients": net.device.get(net.parameters.diff).copy()})
    return net, found


def assert_equal(found: list[dict[str, np.ndarray]], wanted: list[dict[str, np.ndarray]]) -> None:
    for number, (one, other) in enumerate(zip(found, wanted, strict=True)):
        for name in other:
            np.testing.assert_array_equal(one[name], other[name], err_msg=f"pass {number}: {name}")


def assert_same(param: NetParameter, wide: EmulatedCuda, serial: EmulatedCuda, **options) -> Net:
    net, found = train(param, wide, **options)
    assert_equal(found, train(param, serial, **options)[1])
    return net


def module(name: str, bottom: str) -> list[str]:
    """Of Inception: four branches, joined."""
    made = conv(f"{name}_a", bottom, 2, 1, "in place")
    made += conv(f"{name}_br", bottom, 2, 1, "in place") + conv(f"{name}_b", f"{name}_br", 3, 3, "in place")
    made += conv(f"{name}_cr", bottom, 2, 1, "in place") + conv(f"{name}_c", f"{name}_cr", 2, 5, "in place")
    made += [pool(f"{name}_p", bottom, "MAX"), *conv(f"{name}_d", f"{name}_p", 1, 1, "in place")]
    return [*made, layer(name, "Concat", [f"{name}_{b}" for b in "abcd"], [name])]


def head(name: str, bottom: str, weight: float) -> list[str]:
    """A loss, as GoogLeNet's auxiliary ones."""
    product = "inner_product_param { num_output: 3 weight_filler { type: 'xavier' } }"
    return [
        layer(f"{name}_fc", "InnerProduct", [bottom], [f"{name}_fc"], product),
        layer(f"{name}_relu", "ReLU", [f"{name}_fc"], [f"{name}_fc"]),
        layer(f"{name}_drop", "Dropout", [f"{name}_fc"], [f"{name}_fc"]),
        layer(f"{name}_ip", "InnerProduct", [f"{name}_fc"], [f"{name}_ip"], product),
        layer(name, "SoftmaxWithLoss", [f"{name}_ip", "label"], [name], f"loss_weight: {weight}"),
    ]


def inception() -> NetParameter:
    layers = [DATA % (2, 2), *conv("stem", "data", 3, 3, "in place"), *module("one", "stem")]
    layers += [*head("side", "one", 0.3), *module("two", "one"), *head("loss", "two", 1)]
    return text.parse("\n".join(layers), NetParameter)


@functools.cache
def serially() -> list[dict[str, np.ndarray]]:
    return train(inception(), Serial(orders=1))[1]


def test_inception():
    net, found = train(inception(), EmulatedCuda(orders=1))
    assert_equal(found, serially())
    forward, backward = net.executor._branches
    assert {turn.branch for turn in forward.values()} == {0, 1, 2, 3}
    assert len({turn.branch for turn in backward.values()}) > 2


def test_with_libraries():
    """Whose calls go where the branch is, each with a workspace of its own."""
    wide = with_libraries(EmulatedCuda)
    blas, seen = wide.blas, set()

    def queue_on(stream, workspace, right=blas.queue_on):
        right(stream, workspace)
        if wide.branching.recording:
            seen.add((stream, workspace))

    blas.queue_on = queue_on
    assert_same(inception(), wide, with_libraries(Serial))
    streams, workspaces = zip(*seen)
    assert len(seen) == len(set(streams)) == len(set(workspaces)) == 4


def test_without_passes():
    """Splits sum, Concats copy, ReLUs run by themselves."""
    assert_same(inception(), EmulatedCuda(orders=1), Serial(orders=1), passes=())


def towers() -> NetParameter:
    """Two towers over two sources, with the same parameters, as in a siamese net."""
    shape = "shape { dim: 2 dim: 4 dim: 6 dim: 5 } data_filler { type: 'gaussian' std: 1 }"
    layers, ends = [DATA % (2, 2)], []
    layers.append(layer("other", "DummyData", [], ["other"], f"dummy_data_param {{ {shape} }}"))
    shared = 'param { name: "%s_w" } param { name: "%s_b" }'
    for tower, bottom in (("one", "data"), ("two", "other")):
        for k, inputs in enumerate((bottom, f"{tower}0", f"{tower}1")):
            made = conv(f"{tower}{k}", inputs, 3, 3, "in place")
            made[0] = made[0].replace("convolution_param", shared % (k, k) + " convolution_param", 1)
            layers += made
        ends.append(f"{tower}2")
    layers += [layer("both", "Concat", ends, ["both"]), *head("loss", "both", 1)]
    return text.parse("\n".join(layers), NetParameter)


def test_shared_parameters():
    net = assert_same(towers(), EmulatedCuda(orders=1), Serial(orders=1))
    steps, turns = net.program.steps, net.executor._branches.forward
    second = next(k for k, step in enumerate(steps) if step.layer.name == "two0")
    assert turns[second].branch and not any(
        steps[j].layer.name.startswith("one") for j in turns[second].waits
    )


def test_memory_is_kept_apart_where_there_is_room():
    """Of two towers both need memory at the same time."""

    def net(device) -> Net:
        return Net(towers(), phase="TEST", device=device, seed=1, keep="needed", forward_only=True)

    serial, wide = net(Serial()), net(EmulatedCuda())
    least = serial.memory.plan.nbytes
    assert least < wide.memory.plan.nbytes < 2 * least + 4096
    assert net(EmulatedCuda(cupy=EmulatedCupy(memory_bytes=4 * least))).memory.plan.nbytes == least


def test_a_chain_stays_on_one_stream():
    layers = [DATA % (2, 2), *conv("a", "data", 3, 3, "in place"), *conv("b", "a", 3, 3, "none")]
    layers += head("loss", "b", 1)
    param = text.parse("\n".join(layers), NetParameter)
    net = Net(param, phase="TRAIN", device=EmulatedCuda(), seed=1, keep="needed")
    assert net.executor._branches == SERIAL


def nobody_waits_for_writers(monkeypatch) -> None:
    """Read after write."""

    def read(memory, who, region, before, right=hazards._Memory.read):
        right(memory, who, region, set())

    monkeypatch.setattr(hazards._Memory, "read", read)


def nobody_waits_for_readers(monkeypatch) -> None:
    """Write after read."""

    def write(memory, who, region, before, right=hazards._Memory.write):
        for stretch in memory.stretches:
            stretch.readers.clear()
        right(memory, who, region, before)

    monkeypatch.setattr(hazards._Memory, "write", write)


def nobody_waits_to_write(monkeypatch) -> None:
    """Write after write, and after read."""

    def write(memory, who, region, before, right=hazards._Memory.write):
        right(memory, who, region, set())

    monkeypatch.setattr(hazards._Memory, "write", write)


def parts_do_not_meet(monkeypatch) -> None:
    """Those of a joint with the whole and what lay there before."""
    monkeypatch.setattr(hazards.Region, "meets", lambda one, other: not one.step and not other.step)


def one_workspace(monkeypatch) -> None:
    def workspace(device, nbytes, right=GpuMemory.workspace):
        used, device.branching.branch = device.branching.branch, 0
        block = right(device, nbytes)
        device.branching.branch = used
        return block

    monkeypatch.setattr(GpuMemory, "workspace", workspace)


FAULTS = [
    nobody_waits_for_writers,
    nobody_waits_for_readers,
    nobody_waits_to_write,
    parts_do_not_meet,
    one_workspace,
]


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_seen(fault, monkeypatch):
    fault(monkeypatch)
    _, found = train(inception(), EmulatedCuda(orders=1))
    wanted = serially()
    assert any((one[name] != other[name]).any() for one, other in zip(found, wanted) for name in other)


@given(nets(), st.sampled_from([None, ("concat",), ("in_place", "accumulate")]))
@settings(max_examples=3)
def test_generated_nets(param, passes):
    assert_same(param, EmulatedCuda(orders=1), Serial(orders=1), passes=passes)


def captured_nodes(device: EmulatedCuda, param: NetParameter) -> tuple[int, int, int]:
    """Of a training net's two passes: the nodes of their graph, how many of them run one behind the other,
    and the bytes of the arena.  No kernel runs."""
    recorded = []

    def launch(*args, right=device.launch) -> None:
        if device.branching.recording:
            right(*args)

    def end_capture(right=device.stream.end_capture):
        recorded.append(right())
        return recorded[-1]

    device.launch, device.stream.end_capture = launch, end_capture
    net = Net(param, phase="TRAIN", device=device, seed=1, keep="needed")

    def body() -> None:
        net.run_forward()
        net.run_backward()

    body()
    device.capture(body)
    chain: list[int] = []
    for node in recorded[0].nodes:
        chain.append(1 + max((chain[i] for i in node.behind), default=0))
    return len(chain), max(chain), net.memory.plan.nbytes


@pytest.mark.slow
def test_googlenet():
    """-s shows the numbers."""
    param = upgrade.read_net(PROTOTXT / "googlenet" / "train_val_dummy.prototxt")
    for shape in param.layer[0].dummy_data_param.shape:
        shape.dim[0] = 2
    (nodes, serial, least), (same, chain, nbytes) = (
        captured_nodes(kind(orders=1), param) for kind in (Serial, EmulatedCuda)
    )
    print(f"\n{nodes} nodes, of which {chain} run one behind the other; {least} bytes become {nbytes}")
    assert nodes == serial == same and chain < 0.65 * nodes and nbytes < 1.03 * least
