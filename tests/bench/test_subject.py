"""What rivals get of a net: an ONNX file that fits whatever it finds."""

from __future__ import annotations

import numpy as np
import pytest

from minicaffe.bench import subject
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support import known_nets, opencv_nets

onnxruntime = pytest.importorskip("onnxruntime")


def test_a_detector_may_find_any_number(tmp_path):
    """The rows are those of a pass, not those that the net has before it."""
    made = subject.inference(text.parse(known_nets.rfcn(), NetParameter), {})
    net = made.net(subject.CpuDevice())
    opencv_nets.fill(net)
    net.save(tmp_path / "net.caffemodel")
    session = onnxruntime.InferenceSession(subject.write_onnx(made, net, tmp_path))
    rng = np.random.default_rng(1)
    counts = set()
    for height, width in ((96, 128), (20, 20)):  # of a small image few regions are left apart
        inputs = {"data": rng.standard_normal((1, 3, 96, 128)), "im_info": np.array([[height, width, 1]])}
        inputs = {name: values.astype(np.float32) for name, values in inputs.items()}
        ours, names = net.forward(**inputs), [value.name for value in session.get_outputs()]
        for name, theirs in zip(names, session.run(names, inputs)):
            np.testing.assert_allclose(theirs, ours[name], rtol=1e-4, atol=1e-4)
            counts.add(len(theirs))
    assert len(counts) > 1
