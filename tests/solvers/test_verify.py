"""verify_resume proves what it says: a layer with a hidden state is caught."""

from __future__ import annotations

import numpy as np
import pytest

from minicaffe.errors import ConfigError, WeightsError
from minicaffe.proto import text
from minicaffe.proto.schema import SolverParameter
from minicaffe.solvers.verify import verify_resume

from ..support.solving import TINY_NET

SOLVER = TINY_NET + "base_lr: 0.1 momentum: 0.9 max_iter: 10 "


def verify(settings: str, iterations: int = 6) -> str:
    settings += "" if "lr_policy" in settings else ' lr_policy: "fixed"'
    return verify_resume(text.parse(SOLVER + settings, SolverParameter), iterations)


@pytest.mark.parametrize(
    "settings",
    [
        "",
        "iter_size: 2 average_loss: 3 test_iter: 2 test_interval: 2",
        'type: "Adam" test_iter: 9 test_iter: 1 test_interval: 3 ema { } keep_last: 1 snapshot: 1',
        'type: "AdamW" lr_policy: "cosine" warm_up { iterations: 4 } clip_gradients: 0.1',
    ],
)
def test_it_says_what_was_compared(settings):
    assert verify(settings).startswith("resume is exact: 6 iterations equal 3 + 3 bit for bit in ")


def test_early_stop_may_end_it():
    said = verify('test_iter: 1 test_interval: 1 early_stop { output: "accuracy" patience: 1 }')
    assert said.startswith("resume is exact")


def test_a_hidden_state_is_caught(monkeypatch):
    from minicaffe.layers.neuron.dropout import Dropout

    generator = np.random.default_rng(1)
    right = Dropout.forward

    def drawn(self, bottom, top):
        right(self, bottom, top)
        top[0].data[...] *= generator.random(top[0].data.shape, np.float32)

    monkeypatch.setattr(Dropout, "forward", drawn)
    with pytest.raises(
        WeightsError, match=r"not exact: after 3 \+ 3 iterations parameter 0 of layer 'conv' differs"
    ):
        verify("")


def test_one_iteration_is_too_few():
    with pytest.raises(ConfigError, match="from 2 iterations on; got 1"):
        verify("", 1)


AUGMENTED = """
train_net_param {
  layer { name: "data" type: "Data" top: "data" top: "label"
    data_param { source: "digits/train" backend: IDX batch_size: 7 shuffle: true }
    transform_param { crop_size: 6 mirror: true scale: 0.0625 } }
  layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
    inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
  layer { name: "drop" type: "Dropout" bottom: "ip" top: "ip" }
  layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
}
base_lr: 0.1 lr_policy: "fixed" momentum: 0.9 iter_size: 2 max_iter: 1000
"""


def test_data_order_shuffles_crops_and_dropout():
    """Across the ends of epochs: 1,500 passes of 7 images."""
    said = verify_resume(text.parse(AUGMENTED, SolverParameter), 750)
    assert said.startswith("resume is exact: 750 iterations equal 375 + 375")
