"""ContinuationIndicator."""

import numpy as np
import pytest

from minicaffe.errors import ConfigError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward


def case(steps: int, n: int) -> Case:
    fields = f"time_step: {steps} batch_size: {n}"
    layer = f'type: "ContinuationIndicator" continuation_indicator_param {{ {fields} }}'
    return Case(layer, (), gradient=False)


CASES = [case(3, 2), case(1, 4)]


@each_device
@pytest.mark.parametrize("steps, n", [(4, 3), (1, 1)])
def test_formula(device, steps, n):
    check_forward(case(steps, n), device, lambda: np.repeat(np.arange(steps) > 0, n).reshape(steps, n) * 1.0)


def test_sequences_do_not_go_on_from_pass_to_pass():
    layers = """
      layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 3 dim: 2 dim: 4 } } }
      layer { name: "c" type: "ContinuationIndicator" top: "cont"
        continuation_indicator_param { time_step: 3 batch_size: 2 } }
      layer { name: "l" type: "LSTM" bottom: "x" bottom: "cont" top: "h"
        recurrent_param { num_output: 2 weight_filler { type: "xavier" } } }
    """
    net, x = Net(text.parse(layers, NetParameter), seed=1), np.ones((3, 2, 4))
    first = net.forward(x=x)["h"].copy()
    np.testing.assert_array_equal(net.forward(x=x)["h"], first)


def test_refuses(cpu):
    with pytest.raises(ConfigError, match="time_step and batch_size of at least 1; got 3 and 0"):
        Rig(case(3, 0), cpu)
