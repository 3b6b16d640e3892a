"""A net computes the same with passes and without: every output, and every parameter's gradient."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicaffe.device.cpu import CpuDevice
from minicaffe.graph.passes import PASSES
from minicaffe.net import Net
from minicaffe.proto import text, upgrade
from minicaffe.proto.schema import NetParameter

from .support import emulator
from .support.running import PROTOTXT

EXACT = {"in_place", "concat"}  # these give the same bits
CHOICES = [(name,) for name in PASSES] + [tuple(PASSES)]
LAYER = 'layer {{ name: "{name}" type: "{kind}" {blobs} {fields} }}'


def settle_statistics(net: Net) -> None:
    """Give the BatchNorms moments as after some training."""
    for layer in net.layers:
        if layer.type == "BatchNorm":
            for blob, value in zip(layer.params, (0.3, 1.7, 2.0)):
                net.device.fill(blob.data, value)


def predictions(param: NetParameter, passes) -> dict[str, np.ndarray]:
    """The outputs of a net that only runs forward."""
    options = {"phase": "TEST", "device": CpuDevice("float64"), "seed": 1, "keep": "needed"}
    net = Net(param, passes=passes, forward_only=True, **options)
    settle_statistics(net)
    return net.forward()


def results(param: NetParameter, passes, device=None, **options) -> tuple[Net, dict[str, np.ndarray]]:
    """The outputs, the loss and the gradients of one training step."""
    device = device or CpuDevice("float64")
    net = Net(param, phase="TRAIN", device=device, seed=1, keep="needed", passes=passes, **options)
    settle_statistics(net)
    net.stage()
    net.run_forward()
    found = {name: net.device.get(net.blobs[name].data).copy() for name in net.outputs}
    net.clear_param_diffs()
    net.run_backward()
    found["gradients"] = net.device.get(net.parameters.diff).copy()
    return net, found


def assert_alike(param: NetParameter, **options) -> dict[tuple[str, ...], Net]:
    """The same with each pass alone, and with all, as with none."""
    _, wanted = results(param, (), **options)
    nets = {}
    for passes in CHOICES:
        nets[passes], found = results(param, passes, **options)
        for name, array in wanted.items():
            if EXACT.issuperset(passes):
                np.testing.assert_array_equal(found[name], array, err_msg=f"{passes} {name}")
            else:
                scale = np.abs(array).max(initial=1e-30)
                np.testing.assert_allclose(
                    found[name], array, rtol=1e-9, atol=1e-11 * scale, err_msg=f"{passes} {name}"
                )
    return nets


def layer(name: str, kind: str, bottoms, tops, fields="") -> str:
    blobs = " ".join([*(f'bottom: "{b}"' for b in bottoms), *(f'top: "{t}"' for t in tops)])
    return LAYER.format(name=name, kind=kind, blobs=blobs, fields=fields)


DATA = (
    'layer { name: "data" type: "DummyData" top: "data" top: "label"'
    " dummy_data_param { data_filler { type: 'gaussian' std: 1 } data_filler { type: 'constant' value: 1 }"
    " shape { dim: %d dim: 4 dim: 6 dim: 5 } shape { dim: %d } } }"
)


def conv(name: str, bottom: str, outputs: int, size: int, relu: str, bias: bool = True) -> list[str]:
    """A convolution that keeps the image's size, and a ReLU: "in place", "behind", or none."""
    fields = (
        f"convolution_param {{ num_output: {outputs} kernel_size: {size} pad: {size // 2}"
        f" bias_term: {str(bias).lower()}"
        " weight_filler { type: 'xavier' } bias_filler { type: 'gaussian' std: 0.3 } }"
    )
    made = [layer(name, "Convolution", [bottom], [name], fields)]
    if relu == "in place":
        made.append(layer(f"{name}_relu", "ReLU", [name], [name]))
    elif relu == "behind":
        made.append(layer(f"{name}_relu", "ReLU", [name], [f"{name}_r"]))
    return made


def pool(name: str, bottom: str, kind: str) -> str:
    return layer(
        name, "Pooling", [bottom], [name], f"pooling_param {{ pool: {kind} kernel_size: 3 stride: 1 pad: 1 }}"
    )


@st.composite
def nets(draw) -> NetParameter:
    """Modules like Inception's, one behind the other, of branches that are chosen at random."""
    images = draw(st.sampled_from([1, 2, 3]))
    layers, bottom = [DATA % (images, images)], "data"
    for m in range(draw(st.integers(1, 2))):
        ends = []
        for b in range(draw(st.integers(1, 4))):
            name = f"m{m}b{b}"
            kind = draw(
                st.sampled_from(
                    [
                        "1x1",
                        "reduced",
                        "pool",
                        "ave",
                        "sigmoid",
                        "eltwise",
                        "dropout",
                        "flat",
                        "slice",
                        "scale",
                        "norm",
                    ]
                )
            )
            relu = draw(st.sampled_from(["in place", "behind", "none"]))
            end = f"{name}_r" if relu == "behind" else name
            if kind == "1x1":
                layers += conv(name, bottom, draw(st.integers(1, 5)), 1, relu, draw(st.booleans()))
            elif kind == "reduced":
                layers += conv(f"{name}_reduce", bottom, 3, 1, "in place")
                layers += conv(name, f"{name}_reduce", 4, 3, relu)
            elif kind in ("pool", "ave"):
                layers.append(pool(f"{name}_pool", bottom, "MAX" if kind == "pool" else "AVE"))
                layers += conv(name, f"{name}_pool", 2, 1, relu)
            elif kind == "sigmoid":
                layers += conv(f"{name}_c", bottom, 3, 1, "none")
                layers.append(layer(name, "Sigmoid", [f"{name}_c"], [name]))
                end = name
            elif kind == "eltwise":
                layers += conv(f"{name}_a", bottom, 3, 3, "in place") + conv(
                    f"{name}_b", bottom, 3, 1, "none"
                )
                layers.append(layer(name, "Eltwise", [f"{name}_a", f"{name}_b"], [name]))
                if relu != "none":
                    layers.append(layer(f"{name}_relu", "ReLU", [name], [end]))
            elif kind == "dropout":
                layers += conv(f"{name}_c", bottom, 3, 1, "in place")
                layers.append(layer(name, "Dropout", [f"{name}_c"], [name], "phase: TEST"))
                end = name
            elif kind == "flat":
                layers += conv(f"{name}_c", bottom, 3, 1, "behind")
                fields = "reshape_param { shape { dim: 0 dim: 0 dim: 6 dim: 5 } }"
                layers.append(layer(name, "Reshape", [f"{name}_c_r"], [name], fields))
                end = name
            elif kind == "slice":
                layers += conv(f"{name}_c", bottom, 4, 3, "none")
                layers.append(layer(f"{name}_s", "Slice", [f"{name}_c"], [f"{name}_s0", f"{name}_s1"]))
                layers += conv(name, f"{name}_s0", 2, 3, relu)
                layers += conv(f"{name}_x", f"{name}_s1", 2, 1, "in place")
                ends.append(f"{name}_x")
            elif kind == "norm":
                layers += conv(
                    f"{name}_c", bottom, 3, draw(st.sampled_from([1, 3])), "none", draw(st.booleans())
                )
                top = draw(st.sampled_from([f"{name}_c", f"{name}_n"]))
                fields = draw(st.sampled_from(["", "batch_norm_param { use_global_stats: true }"]))
                layers.append(layer(f"{name}_norm", "BatchNorm", [f"{name}_c"], [top], fields))
                bias = str(draw(st.booleans())).lower()
                fields = f"scale_param {{ bias_term: {bias} filler {{ type: 'gaussian' std: 1 }} }}"
                layers.append(layer(name, "Scale", [top], [name], fields))
                if relu != "none":
                    layers.append(layer(f"{name}_relu", "ReLU", [name], [end]))
            elif kind == "scale":
                layers += conv(f"{name}_c", bottom, 3, 1, "none")
                layers.append(layer(name, "Scale", [f"{name}_c"], [name], "scale_param { bias_term: true }"))
                if relu != "none":
                    layers.append(layer(f"{name}_relu", "ReLU", [name], [end]))
            ends.append(end)
        bottom = f"m{m}"
        layers.append(layer(bottom, "Concat", ends, [bottom]))
        if len(ends) > 1 and draw(st.booleans()):  # the join of one is that one, whose values may be needed
            layers.append(layer(f"{bottom}_relu", "ReLU", [bottom], [bottom]))
    fields = "inner_product_param { num_output: 3 weight_filler { type: 'xavier' } }"
    layers.append(layer("hidden", "InnerProduct", [bottom], ["hidden"], fields))
    layers.append(layer("hidden_relu", "ReLU", ["hidden"], [draw(st.sampled_from(["hidden", "h"]))]))
    layers.append(layer("ip", "InnerProduct", [layers[-1].split('top: "')[1].split('"')[0]], ["ip"], fields))
    layers.append(layer("loss", "SoftmaxWithLoss", ["ip", "label"], ["loss"]))
    return text.parse("\n".join(layers), NetParameter)


@given(nets())
@settings(max_examples=25)
def test_generated_nets(param):
    assert_alike(param)


@given(nets())
@settings(max_examples=15)
def test_generated_nets_forward(param):
    wanted = predictions(param, ())
    for passes in CHOICES:
        for name, array in predictions(param, passes).items():
            np.testing.assert_allclose(array, wanted[name], rtol=1e-9, err_msg=f"{passes} {name}")


def everything() -> NetParameter:
    """A net in which every pass finds something to do."""
    layers = [DATA % (2, 2), *conv("a", "data", 3, 1, "behind"), *conv("b", "data", 2, 1, "behind")]
    layers += [
        layer("sa", "Sigmoid", ["a_r"], ["sa"]),
        *conv("c", "sa", 2, 3, "none"),
        *conv("d", "b_r", 3, 1, "none"),
    ]
    layers += [layer("join", "Concat", ["c", "d"], ["join"]), layer("norm", "BatchNorm", ["join"], ["norm"])]
    layers += [layer("scale", "Scale", ["norm"], ["scale"]), *conv("e", "scale", 2, 3, "none")]
    layers += [*conv("f", "scale", 2, 3, "none"), layer("sum", "Eltwise", ["e", "f"], ["sum"])]
    fields = "inner_product_param { num_output: 3 weight_filler { type: 'xavier' } }"
    layers += [layer("ip", "InnerProduct", ["sum"], ["ip"], fields)]
    layers += [layer("loss", "SoftmaxWithLoss", ["ip", "label"], ["loss"])]
    return text.parse("\n".join(layers), NetParameter)


def test_every_pass_finds_something():
    done = {
        "in_place": lambda program: program.same_data,
        "absorb": lambda program: any(step.layer.name == "norm + scale" for step in program.steps),
        "epilogue": lambda program: any(step.relu for step in program.steps),
        "concat": lambda program: program.joints,
        "siblings": lambda program: any(step.layer.name == "a + b" for step in program.steps),
        "accumulate": lambda program: any(any(step.adding) for step in program.steps),
    }
    nets = assert_alike(everything())
    for name in PASSES:
        assert done[name](nets[name,].program) and done[name](nets[tuple(PASSES)].program), name


@pytest.mark.parametrize("fault", ["written instead of added", "a mask left out", "parts in another order"])
def test_planted_faults_are_seen(fault, monkeypatch):
    name = {"w": "accumulate", "a": "epilogue", "p": "concat"}[fault[0]]

    def wrong(program, shared, right=PASSES[name]):
        program = right(program, shared)
        if name == "concat":
            joints = tuple(replace(joint, parts=joint.parts[::-1]) for joint in program.joints)
            return replace(program, joints=joints)
        worse = {"adding": ()} if name == "accumulate" else {"relu": False}
        return replace(program, steps=tuple(replace(step, **worse) for step in program.steps))

    monkeypatch.setitem(PASSES, name, wrong)
    with pytest.raises(AssertionError):
        assert_alike(everything())


@pytest.mark.skipif(not emulator.available(), reason="the CUDA emulator needs Linux and g++")
@given(nets())
@settings(max_examples=3)
def test_generated_nets_on_an_emulated_gpu(param):
    options = {"rtol": 1e-8, "atol": 1e-12}
    _, wanted = results(param, (), emulator.EmulatedCuda("float64"))
    _, found = results(param, tuple(PASSES), emulator.EmulatedCuda("float64"))
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, err_msg=name, **options)


def training(path: str, size: tuple[int, int, int], images: int) -> NetParameter:
    """A net of prototxt/ for training, on numbers instead of its data."""
    param = upgrade.read_net(PROTOTXT / path)
    for one in param.layer:
        if one.type == "Data":
            one.type = "DummyData"
            for field in ("data_param", "transform_param", "augment_param"):
                one.ClearField(field)
            dummy = one.dummy_data_param
            dummy.data_filler.add(type="gaussian", std=1)
            dummy.data_filler.add(type="constant", value=3)
            dummy.shape.add(dim=[images, *size])
            dummy.shape.add(dim=[images])
    return param


@pytest.mark.parametrize(
    ("path", "size"),
    [
        ("lenet/train_test.prototxt", (1, 28, 28)),
        ("mnist_cnn/train_test.prototxt", (1, 28, 28)),
        ("mnist_keras_cnn/train_test.prototxt", (1, 28, 28)),
        ("googlenet/mnist_28_train_val.prototxt", (1, 28, 28)),
        pytest.param("googlenet/train_val.prototxt", (3, 224, 224), marks=pytest.mark.slow),
        pytest.param("alexnet/train_val.prototxt", (3, 227, 227), marks=pytest.mark.slow),
    ],
)
def test_nets_of_the_collection(path, size):
    assert_alike(training(path, size, images=2))
