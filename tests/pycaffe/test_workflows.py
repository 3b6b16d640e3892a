"""What people do with pycaffe, from end to end."""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np

from minicaffe import pycaffe as caffe

from .nets import write

DIGITS = Path(__file__).parents[2] / "prototxt" / "digits"

LEARN = """
net: "{net}" test_iter: 4 test_interval: 500 base_lr: {rate} momentum: 0.9 weight_decay: 0.0005
lr_policy: "fixed" max_iter: 200 snapshot_prefix: "w" random_seed: 1701
"""


def learner(net: str | Path, rate: float = 0.01):
    return caffe.get_solver(write("solver.prototxt", LEARN.format(net=net, rate=rate)))


def accuracy(net: caffe.Net, scores: str, batches: int) -> float:
    """Over so many batches of a test net."""
    right = total = 0
    for _ in range(batches):
        net.forward()
        labels = net.blobs["label"].data.ravel()
        right += (net.blobs[scores].data.argmax(axis=1) == labels).sum()
        total += len(labels)
    return right / total


def test_learning_lenet_with_a_loop_of_ones_own():
    solver = learner(DIGITS / "train_test.prototxt", rate=0.05)
    assert {name: blob.data.shape for name, blob in solver.net.blobs.items()}["data"] == (64, 1, 8, 8)
    assert solver.net.params["conv1"][0].data.shape == (20, 1, 5, 5)
    solver.net.forward()
    solver.test_nets[0].forward()
    first = solver.test_nets[0].blobs["data"].data.copy()
    before = solver.net.params["conv1"][0].data.copy()
    losses, outputs = [], []
    for _ in range(40):
        solver.step(1)
        losses.append(float(solver.net.blobs["loss"].data))
        solver.test_nets[0].forward(start="conv1")  # the same digits every time
        outputs.append(solver.test_nets[0].blobs["ip2"].data[:8].copy())
    np.testing.assert_array_equal(solver.test_nets[0].blobs["data"].data, first)
    assert losses[0] > 2 and np.mean(losses[-5:]) < 1
    assert (outputs[0] != outputs[-1]).any()
    assert solver.net.params["conv1"][0].diff.any()  # the gradient of the last batch
    assert (solver.net.params["conv1"][0].data != before).any()
    assert accuracy(solver.test_nets[0], "ip2", 4) > 0.7


def test_descent_by_hand():
    solver = learner(DIGITS / "train_test.prototxt")
    net, velocity = solver.net, {}
    for _ in range(30):
        net.clear_param_diffs()
        net.forward()
        net.backward()
        for name, blobs in net.params.items():
            for i, blob in enumerate(blobs):
                step = 0.9 * velocity.get((name, i), 0) + 0.05 * blob.diff
                velocity[name, i] = step
                blob.data[...] -= step
    assert accuracy(solver.test_nets[0], "ip2", 4) > 0.6
    assert solver.iter == 0


CLASSIFIER = """
layer {{ name: "data" type: "Input" top: "data"
  input_param {{ shape {{ dim: 1 dim: 2 dim: {size} dim: {size} }} }} }}
layer {{ name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param {{ num_output: 4 kernel_size: 3 weight_filler {{ type: "gaussian" std: 1 }} }} }}
layer {{ name: "relu" type: "ReLU" bottom: "conv" top: "conv" }}
{last}
layer {{ name: "prob" type: "Softmax" bottom: "score" top: "prob" }}
"""
DENSE = """layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "score"
  inner_product_param { num_output: 3 weight_filler { type: "gaussian" std: 1 } } }"""
SLIDING = """layer { name: "fc-conv" type: "Convolution" bottom: "conv" top: "score"
  convolution_param { num_output: 3 kernel_size: 4 } }"""


def test_net_surgery(mode):
    """A classifier of 6 x 6 images, cast into a convolution, slides over larger ones."""
    net = caffe.Net(write("dense.prototxt", CLASSIFIER.format(size=6, last=DENSE)), caffe.TEST)
    net.save("dense.caffemodel")
    full = caffe.Net(
        write("full.prototxt", CLASSIFIER.format(size=8, last=SLIDING)), "dense.caffemodel", caffe.TEST
    )
    full.params["fc-conv"][0].data.flat = net.params["fc"][0].data.flat
    full.params["fc-conv"][1].data[...] = net.params["fc"][1].data
    full.save("full.caffemodel")
    image = np.random.default_rng(4).standard_normal((1, 2, 8, 8)).astype(np.float32)
    there = full.forward_all(data=image)["prob"]
    assert there.shape == (1, 3, 3, 3)
    for y, x in np.ndindex(3, 3):
        window = image[:, :, y : y + 6, x : x + 6]
        np.testing.assert_allclose(
            net.forward(data=window)["prob"][0], there[0, :, y, x], rtol=1e-4, atol=1e-6
        )
    again = caffe.Net("full.prototxt", caffe.TEST, weights="full.caffemodel")
    np.testing.assert_array_equal(again.forward(data=image)["prob"], there)


def test_fine_tuning_with_a_new_last_layer():
    """What has the old name keeps what was learned; the last layer starts afresh."""
    solver = learner(DIGITS / "train_test.prototxt", rate=0.05)
    solver.step(20)
    solver.net.save("digits.caffemodel")
    text = (DIGITS / "train_test.prototxt").read_text()
    renamed = text.replace('"ip2"', '"parity"').replace("num_output: 10", "num_output: 20")
    tuned, scratch = (learner(write("tune.prototxt", renamed), rate=0.005) for _ in range(2))
    tuned.net.copy_from("digits.caffemodel")
    for name, blobs in tuned.net.params.items():
        same = name != "parity"
        assert (name in solver.net.params) == same
        if same:
            np.testing.assert_array_equal(blobs[0].data, solver.net.params[name][0].data)
    for one in (tuned, scratch):
        one.step(10)
    assert accuracy(tuned.test_nets[0], "parity", 4) > accuracy(scratch.test_nets[0], "parity", 4)


DATA_LAYER = '''
import caffe
import numpy as np


class Moons(caffe.Layer):
    """Batches of two classes, one within the other; param_str is the batch size."""

    def setup(self, bottom, top):
        if len(top) != 2:
            raise Exception("two tops are needed: data and label")
        self.batch_size = int(self.param_str)
        self.random = np.random.RandomState(1)
        self.seen = 0

    def reshape(self, bottom, top):
        top[0].reshape(self.batch_size, 2)
        top[1].reshape(self.batch_size)

    def forward(self, bottom, top):
        label = self.random.randint(2, size=self.batch_size)
        angle = self.random.uniform(0, 2 * np.pi, self.batch_size)
        radius = 1 + label
        top[0].data[...] = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
        top[1].data[...] = label
        self.seen += self.batch_size

    def backward(self, top, propagate_down, bottom):
        pass
'''

MOONS = """
layer { name: "moons" type: "Python" top: "data" top: "label"
  python_param { module: "moons" layer: "Moons" param_str: "32" } }
layer { name: "ip1" type: "InnerProduct" bottom: "data" top: "ip1"
  inner_product_param { num_output: 16 weight_filler { type: "gaussian" std: 1 } } }
layer { name: "relu" type: "ReLU" bottom: "ip1" top: "ip1" }
layer { name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip2" bottom: "label" top: "loss" }
"""


def test_a_data_layer_in_python(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "moons", raising=False)
    write("moons.py", DATA_LAYER)
    solver = learner(write("moons.prototxt", MOONS), rate=0.05)
    solver.step(120)
    assert solver.net.layers[0].seen == 120 * 32
    assert accuracy(solver.test_nets[0], "ip2", 4) > 0.9


LOGISTIC = """
layer { name: "data" type: "HDF5Data" top: "data" top: "label" include { phase: TRAIN }
  hdf5_data_param { source: "train.txt" batch_size: 10 } }
layer { name: "data" type: "HDF5Data" top: "data" top: "label" include { phase: TEST }
  hdf5_data_param { source: "test.txt" batch_size: 10 } }
layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }
layer { name: "accuracy" type: "Accuracy" bottom: "fc" bottom: "label" top: "accuracy"
  include { phase: TEST } }
"""


def test_logistic_regression_on_hdf5(mode):
    rng = np.random.default_rng(5)
    direction = rng.standard_normal(4)
    for part, rows in (("train", 200), ("test", 40)):
        data = rng.standard_normal((rows, 4)).astype(np.float32)
        with h5py.File(f"{part}.h5", "w") as file:
            file["data"], file["label"] = data, (data @ direction > 0).astype(np.float32)
        write(f"{part}.txt", f"{part}.h5\n")
    solver = learner(write("logistic.prototxt", LOGISTIC), rate=0.1)
    solver.solve()
    means = np.mean([solver.test_nets[0].forward()["accuracy"].copy() for _ in range(4)])
    assert means >= 0.9
    weight = np.diff(solver.net.params["fc"][0].data, axis=0)[0]
    cosine = weight @ direction / np.linalg.norm(weight) / np.linalg.norm(direction)
    assert cosine > 0.95
