"""Silence."""

import numpy as np
import pytest

from minicaffe.device.cpu import CpuDevice
from minicaffe.errors import ShapeError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.devices import each_device
from ..support.laws import Case, Rig

SILENCE = Case('type: "Silence"', ((2, 3), (4,)), tops=0)


@each_device
def test_writes_zeros_where_a_gradient_is_asked_for(device):
    rig = Rig(SILENCE, device)
    assert rig.forward(SILENCE.arrays()) == []
    for blob in rig.bottom:
        device.fill(blob.diff, 3)
    rig.layer.backward(rig.top, [False, True], rig.bottom)
    assert (device.get(rig.bottom[0].diff) == 3).all()
    assert (device.get(rig.bottom[1].diff) == 0).all()


def test_hides_outputs():
    net = Net(
        text.parse(
            'layer { name: "in" type: "Input" top: "a" top: "b" input_param { shape { dim: 2 } } }'
            'layer { name: "quiet" type: "Silence" bottom: "b" }',
            NetParameter,
        ),
        device=CpuDevice(np.float64),
    )
    assert net.outputs == ["a"]


def test_takes_any_number_of_bottoms_and_no_top(cpu):
    with pytest.raises(ShapeError, match="takes 1 or more bottoms; got 0"):
        Rig(Case('type: "Silence"', (), tops=0), cpu)
    with pytest.raises(ShapeError, match="takes 0 tops; got 1"):
        Rig(Case('type: "Silence"', ((2,),), tops=1), cpu)
