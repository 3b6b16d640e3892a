"""Every recorded case of the layers that exist: tops, bottom and parameter gradients are Caffe's, or its
fork's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from minicaffe.layers import LAYERS
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from .support.devices import CUDA, make_device

FOLDER = Path(__file__).parent / "golden" / "layers"
FORKS = FOLDER.with_name("forks")
CASES = [*sorted(FOLDER.glob("*.npz")), *sorted(FORKS.glob("*.npz"))]


def section(stored, name: str) -> dict[str, np.ndarray]:
    """The arrays under `name/`."""
    return {key.split("/", 1)[1]: stored[key] for key in stored.files if key.startswith(f"{name}/")}


@pytest.mark.parametrize("device_name", ["cpu", *CUDA])
@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_case(path, device_name):
    assert path.parent == FORKS or path.stem.split("_")[0] in LAYERS
    stored = np.load(path)
    device = make_device(device_name, np.float32)
    prototxt = str(stored["net"]).replace("@DIR@", str(FOLDER))
    param = text.parse(prototxt, NetParameter)
    param.force_backward |= path.parent == FORKS  # they were recorded without a loss behind the layer
    net = Net(param, phase=str(stored["phase"]), device=device, seed=1)
    made = [layer for layer in net.layers if layer.name.split("/")[0] == "layer"]  # of a fork's, maybe two
    params = [param for layer in made for param in layer.params]

    def agree(name: str, array, wanted) -> None:
        got = device.get(array)
        assert got.shape == wanted.shape, name
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5, err_msg=name)

    for name, array in section(stored, "bottom").items():
        device.put(array, net.blobs[name].data)
    for index, array in section(stored, "param").items():
        device.put(array, params[int(index)].data)
    net.forward()
    for name, wanted in section(stored, "top").items():
        agree(f"top {name}", net.blobs[name].data, wanted)
    for index, wanted in section(stored, "param_after").items():  # what forward itself changes
        agree(f"parameter {index}", params[int(index)].data, wanted)
    down = section(stored, "bottom_diff")
    if not down:
        return
    for name, array in section(stored, "top_diff").items():
        device.put(array, net.blobs[name].diff)
    net.clear_param_diffs()
    net.backward()
    for name, wanted in down.items():
        agree(f"diff of {name}", net.blobs[name].diff, wanted)
    for index, wanted in section(stored, "param_diff").items():
        agree(f"gradient of parameter {index}", params[int(index)].diff, wanted)
