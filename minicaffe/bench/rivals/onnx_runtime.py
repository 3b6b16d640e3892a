"""A rival (see this folder's __init__): onnxruntime on the processor, float32."""

from __future__ import annotations

from typing import Any


def make(job: dict[str, Any]) -> dict[str, Any]:
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = job["threads"]
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(job["onnx"], options, providers=["CPUExecutionProvider"])
    arrays = np.load(job["inputs"])
    wanted = {value.name for value in session.get_inputs()}
    feed = {name: arrays[key].astype(np.float32) for name, key in job["names"].items() if name in wanted}
    names = [value.name for value in session.get_outputs()]
    return {
        "version": f"onnxruntime {onnxruntime.__version__}",
        "step": lambda: session.run(None, feed),
        "outputs": lambda: dict(zip(names, session.run(None, feed))),
    }
