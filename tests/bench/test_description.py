"""A net as plain data, and PyTorch's net made of it."""

from __future__ import annotations

import numpy as np
import pytest

from minicaffe import Net
from minicaffe.bench.description import by_layer, describe
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

INPUT = (
    'layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ dim: 2 dim: 4 dim: 6 dim: 6 }} }} }}'
)
LAYERS = [  # of one bottom, and their settings
    ("Convolution", "convolution_param { num_output: 6 kernel_size: 3 stride: 2 pad: 1 group: 2 }"),
    (
        "Deconvolution",
        "convolution_param { num_output: 4 kernel_size: 2 stride: 2 group: 4 bias_term: false }",
    ),
    ("Pooling", "pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }"),
    ("Pooling", "pooling_param { pool: MAX global_pooling: true }"),
    ("LRN", "lrn_param { local_size: 3 alpha: 0.5 beta: 0.75 }"),
    ("LRN", "lrn_param { local_size: 3 alpha: 0.5 norm_region: WITHIN_CHANNEL }"),
    ("InnerProduct", "inner_product_param { num_output: 5 transpose: true }"),
    ("ReLU", "relu_param { negative_slope: 0.1 }"),
    ("PReLU", ""),
    ("ELU", "elu_param { alpha: 0.5 }"),
    ("Power", "power_param { power: 2 scale: 0.5 shift: 3 }"),
    ("Scale", "scale_param { bias_term: true }"),
    ("BatchNorm", ""),
    ("Reshape", "reshape_param { shape { dim: 0 dim: -1 dim: 3 } }"),
    ("Flatten", "flatten_param { axis: 2 }"),
    ("Slice", "slice_param { slice_point: 1 }"),
    *[(kind, "") for kind in ("AbsVal", "BNLL", "Sigmoid", "TanH", "Softmax", "Split")],
]


def net_of(layers: str) -> Net:
    net = Net(text.parse(INPUT.format() + layers, NetParameter), phase="TEST", seed=1)
    rng = np.random.default_rng(0)
    for blobs in net.params.values():
        for blob in blobs:
            net.device.put(rng.uniform(0.5, 1.5, blob.shape), blob.data)
    return net


def test_a_description():
    net = net_of(
        'layer { name: "a" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 3 } }'
        'layer { name: "r" type: "ReLU" bottom: "y" top: "y" }'
        'layer { name: "m" type: "MVN" bottom: "y" top: "z" }'
    )
    (a, r, m), weights = describe(net)
    assert (a["name"], a["bottom"], a["top"], a["params"]) == ("a", ["x"], ["y"], ["p0", "p1"])
    assert not a["in_place"] and r["in_place"] and r["negative_slope"] == 0
    assert (
        weights["p0"].shape == (3, 144)
        and m["unknown"] == "layer 'm' (MVN): no counterpart of MVN is written"
    )


@pytest.mark.parametrize(
    "layer",
    [
        'type: "Convolution" convolution_param { num_output: 2 kernel_size: 3 pad_r: 1 }',
        'type: "Pooling" pooling_param { kernel_size: 3 stride: 2 pad_type: 1 }',
    ],
)
def test_padding_that_differs_from_side_to_side_has_no_counterpart(layer):
    (entry,), _ = describe(net_of(f'layer {{ name: "a" bottom: "x" top: "y" {layer} }}'))
    assert entry["unknown"].endswith("padding that differs from side to side")


def test_nodes_are_layers():
    """By their layer's name, by that of their output, or not at all; those of one layer add up."""
    entries = [{"name": "a/1x1", "top": ["y"]}, {"name": "r", "top": ["y"]}, {"name": "b", "top": ["z"]}]
    nodes = {"a/1x1/Conv/0": 1.0, "a/1x1/Conv/0/WithoutBiases": 2.0, "z": 4.0, "Multiply_7": 8.0}
    told = {name: {"forward": [seconds] * 2, "backward": []} for name, seconds in nodes.items()}
    assert by_layer(told, entries) == {
        "a/1x1": {"forward": [3.0, 3.0], "backward": []},
        "b": {"forward": [4.0, 4.0], "backward": []},
    }


@pytest.mark.parametrize("kind, settings", LAYERS, ids=[f"{kind} {s[:40]}".strip() for kind, s in LAYERS])
def test_pytorch_computes_the_same(kind, settings):
    pytest.importorskip("torch")
    import torch

    from minicaffe.bench.rivals.pytorch import Graph

    tops = 'top: "y" top: "z"' if kind in ("Slice", "Split") else 'top: "y"'
    net = net_of(f'layer {{ name: "l" type: "{kind}" bottom: "x" {tops} {settings} }}')
    x = np.random.default_rng(1).standard_normal((2, 4, 6, 6)).astype(np.float32)
    wanted = net.forward(x=x)
    entries, weights = describe(net)
    job = {"layers": entries, "names": ["x"], "outputs": net.outputs, "trains": False}
    found = Graph(job, weights)(torch.from_numpy(x))
    for name, tensor in zip(net.outputs, found):
        np.testing.assert_allclose(tensor.detach().numpy(), wanted[name], rtol=1e-4, atol=1e-5)
