"""Python layers in nets of pycaffe."""

from __future__ import annotations

import numpy as np
import pytest

from minicaffe import pycaffe as caffe

from .nets import write

INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 10 dim: 9 dim: 8 } } }'


def layer(name: str, kind: str, bottom: str = "", top: str = "", param_str: str = "") -> str:
    bottoms = f'bottom: "{bottom}"' if bottom else ""
    return (
        f'layer {{ type: "Python" name: "{name}" {bottoms} top: "{top or name}" python_param {{'
        f' module: "tests.pycaffe.python_layers" layer: "{kind}" param_str: "{param_str}" }} }}'
    )


def net(*layers: str, phase: int = caffe.TRAIN) -> caffe.Net:
    return caffe.Net(write("python.prototxt", "force_backward: true\n" + "\n".join(layers)), phase)


def chain() -> caffe.Net:
    return net(
        INPUT,
        layer("one", "Tenfold", "data"),
        layer("two", "Tenfold", "one"),
        layer("three", "Tenfold", "two"),
    )


def test_forward(mode):
    made = chain()
    made.blobs["data"].data[...] = 8
    made.forward()
    np.testing.assert_array_equal(made.blobs["three"].data, 8000)


def test_backward_of_a_diff_that_was_put_there(mode):
    made = chain()
    made.blobs["three"].diff[...] = 7
    made.backward()
    np.testing.assert_array_equal(made.blobs["data"].diff, 7000)


def test_reshape():
    made = chain()
    made.blobs["data"].reshape(4, 4, 4, 4)
    made.forward()
    assert all(list(blob.data.shape) == [4, 4, 4, 4] for blob in made.blobs.values())


def test_param_str():
    made = net(INPUT, layer("ten", "Times", "data", "", "10"), layer("two", "Times", "ten", "", "2"))
    made.blobs["data"].data[...] = 3
    made.forward()
    np.testing.assert_array_equal(made.blobs["two"].data, 60)
    made.blobs["two"].diff[...] = 5
    made.backward()
    np.testing.assert_array_equal(made.blobs["data"].diff, 100)


def test_what_setup_raises_reaches_the_caller():
    with pytest.raises(RuntimeError, match="broken on purpose"):
        net(INPUT, layer("broken", "Broken", "data"))


@pytest.mark.parametrize("phase", [caffe.TRAIN, caffe.TEST])
def test_phase(phase):
    assert net(layer("phase", "PhaseLayer"), phase=phase).forward()["phase"] == phase


def test_a_parameter(mode):
    made = net(layer("p", "Parameter"))
    made.forward()
    made.backward()
    parameter = made.layers[made._layer_names.index("p")].blobs[0]
    assert parameter is made.params["p"][0]
    assert (parameter.data[0], parameter.diff[0]) == (0, 1)
    parameter.data[0] += parameter.diff[0]
    assert parameter.data[0] == 1
    assert made.forward()["p"] == [1]
    made.save("python.caffemodel")
    other = net(layer("p", "Parameter"))
    assert other.forward()["p"] == [0]
    other.copy_from("python.caffemodel")
    assert other.params["p"][0].data[0] == 1 and other.forward()["p"] == [1]
    third = net(layer("p", "Parameter"))
    third.share_with(made)
    made.params["p"][0].data[0] = 5
    assert third.forward()["p"] == [5]


def test_net_layers_hold_the_object_itself(mode):
    made = net(INPUT, layer("keeps", "Keeps", "data"))
    own = made.layer_dict["keeps"]
    assert type(own).__name__ == "Keeps" and own.type == "Python"
    own.told = 3
    made.blobs["data"].data[...] = 2
    np.testing.assert_array_equal(made.forward()["keeps"], 6)
    np.testing.assert_array_equal(own.array, 2)
