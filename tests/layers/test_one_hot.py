"""OneHot."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, DataError, SchemaError
from minicaffe.net import Net
from minicaffe.proto import extensions, text
from minicaffe.proto.schema import NetParameter

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, labels
from ..support.strategies import shapes


def one_hot(shape: tuple, classes: int) -> Case:
    conf = f"one_hot_param {{ num_output: {classes} }}"
    return Case(f'type: "OneHot" {conf}', (shape,), (labels(classes),), gradient=False)


CASES = [one_hot((5,), 3), one_hot((2, 3, 2), 4), one_hot((300,), 1)]


@each_device
@given(shape=shapes(), classes=st.integers(1, 6))
def test_formula(device, shape, classes):
    check_forward(one_hot(shape, classes), device, lambda t: np.eye(classes)[t.astype(int)])


@each_device
def test_numbers_are_cut_to_whole_ones(device):
    (y,) = Rig(one_hot((3,), 3), device).forward([np.array([-0.5, 1.7, 2])])
    np.testing.assert_array_equal(y, np.eye(3))


@each_device
@pytest.mark.parametrize("label", [3, -1, 1e20, np.nan, np.inf])
def test_a_label_that_is_no_class(device, label):
    rig = Rig(one_hot((2, 2), 3), device)
    with pytest.raises(
        DataError, match=r"label \S+ at \[1, 0\] of bottom 0 is none of the 3 classes"
    ) as caught:
        rig.forward([np.array([[0, 1], [label, label]])])
    assert "num_output" in str(caught.value)
    y = device.get(rig.top[0].data)
    assert np.isnan(y[1]).all() and np.isfinite(y[0]).all()
    assert np.isfinite(rig.forward([np.ones((2, 2))])[0]).all()  # forgotten


def test_the_number_of_classes_must_be_given(cpu):
    with pytest.raises(ConfigError, match=r"one_hot_param\.num_output must be at least 1"):
        Rig(Case('type: "OneHot"', ((2,),)), cpu)


def net(loss: str) -> NetParameter:
    return text.parse(
        f"""
        layer {{ name: "x" type: "Input" top: "x" top: "label"
          input_param {{ shape {{ dim: 4 dim: 3 }} shape {{ dim: 4 }} }} }}
        layer {{ name: "ip" type: "InnerProduct" bottom: "x" top: "ip"
          inner_product_param {{ num_output: 3 weight_filler {{ type: "xavier" }} }} }}
        layer {{ name: "targets" type: "OneHot" bottom: "label" top: "targets"
          one_hot_param {{ num_output: 3 }} }}
        layer {{ name: "loss" type: "{loss}" bottom: "ip" bottom: "targets" top: "loss" }}
        """,
        NetParameter,
    )


def test_the_cross_entropy_of_sigmoid_outputs(cpu):
    """Against the formula: the sum over the classes, the mean over the images."""
    trained = Net(net("SigmoidCrossEntropyLoss"), phase="TRAIN", device=cpu, seed=3)
    rng = np.random.default_rng(1)
    x, label = rng.normal(size=(4, 3)), np.array([2, 0, 1, 1])
    loss = trained.forward(x=x, label=label)["loss"]
    s = 1 / (1 + np.exp(-cpu.get(trained.blobs["ip"].data)))
    wanted = -np.where(np.eye(3)[label] == 1, np.log(s), np.log(1 - s)).sum() / 4
    np.testing.assert_allclose(loss, wanted, rtol=1e-6)


def test_nothing_in_caffe_stands_for_it():
    param = net("SigmoidCrossEntropyLoss")
    before = param.SerializeToString()
    with pytest.raises(SchemaError, match=r"layer\[2\]\.type: OneHot, layer\[2\]\.one_hot_param"):
        extensions.refuse(param)
    with pytest.raises(SchemaError, match=r"layer\[2\]\.type: OneHot: Caffe has no such layer"):
        extensions.strip(param)
    assert param.SerializeToString() == before
