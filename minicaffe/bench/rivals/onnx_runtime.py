"""A rival (see this folder's __init__): onnxruntime on the processor, float32."""

from __future__ import annotations

import json
import os
import tempfile
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

    def layers(count: int) -> dict[str, Any]:
        """By the node's name, which may be that of its output; fused nodes stand under one of theirs."""
        with tempfile.TemporaryDirectory() as folder:
            options.enable_profiling = True
            options.profile_file_prefix = os.path.join(folder, "profile")
            told = onnxruntime.InferenceSession(job["onnx"], options, providers=["CPUExecutionProvider"])
            for _ in range(count + 1):
                told.run(None, feed)
            with open(told.end_profiling()) as file:
                events = json.load(file)
        found: dict[str, Any] = {}
        for event in events:
            if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
                name = event["name"].removesuffix("_kernel_time").removesuffix("_nchwc")
                found.setdefault(name, {"forward": [], "backward": []})["forward"].append(event["dur"] / 1e6)
        return {name: {"forward": ways["forward"][1:], "backward": []} for name, ways in found.items()}

    return {
        "version": f"onnxruntime {onnxruntime.__version__}",
        "step": lambda: session.run(None, feed),
        "layers": layers,
        "outputs": lambda: dict(zip(names, session.run(None, feed))),
    }
