"""A rival (see this folder's __init__): OpenVINO on the processor, made for latency.

It computes in float32: without being told so it takes bfloat16 where the processor has it.
"""

from __future__ import annotations

from typing import Any


def make(job: dict[str, Any]) -> dict[str, Any]:
    import numpy as np
    import openvino

    core = openvino.Core()
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": job["threads"],
        "INFERENCE_PRECISION_HINT": "f32",
        "ENABLE_HYPER_THREADING": True,  # two processors of a virtual machine may be one core
        "ENABLE_CPU_PINNING": False,
    }
    compiled = core.compile_model(core.read_model(job["onnx"]), "CPU", settings)
    request = compiled.create_infer_request()
    arrays = np.load(job["inputs"])
    wanted = {port.any_name for port in compiled.inputs}
    feed = {name: arrays[key].astype(np.float32) for name, key in job["names"].items() if name in wanted}

    def outputs() -> dict[str, Any]:
        found = request.infer(feed)
        return {port.any_name: np.array(found[port]) for port in compiled.outputs}

    def layers(count: int) -> dict[str, Any]:
        """By the node's name; what was folded has a name that only OpenVINO knows."""
        told = core.compile_model(core.read_model(job["onnx"]), "CPU", settings | {"PERF_COUNT": True})
        counting = told.create_infer_request()
        found: dict[str, Any] = {}
        for turn in range(count + 1):
            counting.infer(feed)
            for node in counting.profiling_info if turn else []:
                ways = found.setdefault(node.node_name, {"forward": [], "backward": []})
                ways["forward"].append(node.real_time.total_seconds())
        return {name: ways for name, ways in found.items() if any(ways["forward"])}

    threads = compiled.get_property("INFERENCE_NUM_THREADS")
    return {
        "version": f"OpenVINO {openvino.__version__.split('-')[0]}, {threads} threads",
        "step": lambda: request.infer(feed, share_inputs=True),
        "layers": layers,
        "outputs": outputs,
    }
