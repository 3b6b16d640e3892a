"""A small net that scores images, and its files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from minicaffe import pycaffe as caffe

DEPLOY = """
name: "scores"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 4 dim: 3 dim: 6 dim: 8 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
        inner_product_param { num_output: 5 weight_filler { type: "xavier" } bias_filler { value: 0.1 } } }
layer { name: "prob" type: "Softmax" bottom: "ip" top: "prob" }
"""


def files(folder: Path) -> tuple[str, str]:
    """A deploy prototxt and weights."""
    model, weights = str(folder / "deploy.prototxt"), str(folder / "scores.caffemodel")
    Path(model).write_text(DEPLOY)
    caffe.Net(model, caffe.TEST).save(weights)
    return model, weights


def scores(net: caffe.Net, images: np.ndarray) -> np.ndarray:
    """What the net should say of prepared images (N, 3, 6, 8)."""
    weight, bias = (net.params["ip"][i].data for i in range(2))
    logits = images.reshape(len(images), -1) @ weight.T + bias
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)
