"""Small nets for the tests of minicaffe.pycaffe."""

from __future__ import annotations

from pathlib import Path

CLASSES = 13

SIMPLE = """
name: "simple" force_backward: true
layer {{ name: "data" type: "DummyData" top: "data" top: "label"
  dummy_data_param {{ shape {{ dim: 5 dim: 2 dim: 3 dim: 4 }} shape {{ dim: 5 }}
    data_filler {{ type: "gaussian" std: 1 }} data_filler {{ type: "constant" }} }} }}
layer {{ name: "conv" type: "Convolution" bottom: "data" top: "conv"
  param {{ decay_mult: 1 }} param {{ decay_mult: 0 }}
  convolution_param {{ num_output: 11 kernel_size: 2 pad: 3
    weight_filler {{ type: "gaussian" std: 1 }} bias_filler {{ type: "constant" value: 2 }} }} }}
layer {{ name: "ip" type: "InnerProduct" bottom: "conv" top: "ip"
  inner_product_param {{ num_output: {classes}
    weight_filler {{ type: "gaussian" std: 2.5 }} bias_filler {{ type: "constant" value: -3 }} }} }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }}
"""

SOLVER = {
    **{"test_iter": 10, "test_interval": 10, "base_lr": 0.01, "momentum": 0.9, "weight_decay": 0.0005},
    **{"lr_policy": '"inv"', "gamma": 0.0001, "power": 0.75, "display": 100, "max_iter": 100},
    **{"random_seed": 3, "snapshot_after_train": "false", "snapshot_prefix": '"model"'},
}

# y = x * W + b, and a second input that is added.
AFFINE = """
layer { name: "in" type: "Input" top: "x" top: "z"
  input_param { shape { dim: 4 dim: 3 } shape { dim: 4 dim: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip"
  inner_product_param { num_output: 2 weight_filler { type: "gaussian" std: 1 } } }
layer { name: "sum" type: "Eltwise" bottom: "ip" bottom: "z" top: "y" }
force_backward: true
"""


def write(path: str, text: str) -> str:
    Path(path).write_text(text)
    return path


def simple(path: str = "simple.prototxt", classes: int = CLASSES) -> str:
    return write(path, SIMPLE.format(classes=classes))


def solver(path: str = "solver.prototxt", **fields) -> str:
    settings = {**SOLVER, "net": f'"{simple()}"', **fields}
    return write(path, "\n".join(f"{name}: {value}" for name, value in settings.items()))


# A solver whose nets are fed by hand: x (n, 3), t (n, 2).
FED = """
layer { name: "in" type: "Input" top: "x" top: "t"
  input_param { shape { dim: 4 dim: 3 } shape { dim: 4 dim: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y"
  inner_product_param { num_output: 2 weight_filler { type: "gaussian" std: 1 } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss" }
"""


def fed(**fields) -> str:
    return solver(net=f'"{write("fed.prototxt", FED)}"', **fields)
