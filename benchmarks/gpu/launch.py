"""Section launch: what it costs to ask a GPU for something."""

from __future__ import annotations

from typing import Any

import numpy as np

from minicaffe.device.base import Device
from minicaffe.device.cuda import CudaDevice
from minicaffe.device.feed import Array, Feed
from minicaffe.kernels import activation

from .measure import gpu_seconds, host_seconds, rates, spread
from .roof import copy_seconds, product_seconds
from .setting import Effort, Setting
from .tables import Result, Results, digits, spelled, table

NODES = (1, 10, 40, 200)  # kernels in a graph
NOTHING = "template <int unused> __global__ void nothing() {}"
PRODUCTS = {  # m, n, k
    "1024 cubed": (1024, 1024, 1024),
    "4096 cubed": (4096, 4096, 4096),
    "LeNet ip1, batch 64": (64, 500, 800),
    "AlexNet fc6, batch 256": (256, 4096, 9216),
    "GoogLeNet 3a 1x1 of one image": (64, 784, 192),
}


def units(setting: Setting) -> list[str]:
    return ["calls", "graphs", "copies", "cuBLAS in a graph", *(f"products {m}" for m in setting.maths)]


def run(unit: str, setting: Setting) -> Result:
    effort, math = setting.effort, unit.removeprefix("products ")
    if math in setting.maths:
        return _products(setting.new_device(math), setting)
    device = setting.new_device()
    return {"calls": _calls, "graphs": _graphs, "copies": _copies, "cuBLAS in a graph": _cublas}[unit](
        device, effort
    )


def _nothing(device: CudaDevice):
    """Launches a kernel that does nothing."""
    function = device.module(NOTHING, ("nothing<0>",)).get_function("nothing<0>")
    return lambda: device.launch(function, (1,), (32,), ())


def _calls(device: CudaDevice, effort: Effort) -> Result:
    x, kernels = device.zeros((256,)), device.bind(activation)
    nothing = _nothing(device)
    nothing()
    graph = device.capture(nothing)
    bodies = {
        "kernel that does nothing": nothing,
        "kernel of a family (ReLU of 256 numbers)": lambda: kernels.relu_forward(x, x, 0.0),
        "graph of one kernel": graph,
        "event": device.clock(),
        "fill of 1 KB": lambda: device.fill(x, 0),
    }
    found = {}
    for name, body in bodies.items():
        queued, done = host_seconds(device.synchronize, body, effort)
        found[name] = {"queued": spread(queued), "done": spread(done)}
    return {"ms": found}


def _graphs(device: CudaDevice, effort: Effort) -> Result:
    nothing = _nothing(device)
    nothing()

    def body(nodes: int):
        return lambda: [nothing() for _ in range(nodes)]

    found = {}
    for nodes in NODES:
        alone = effort._replace(copies=1)
        found[nodes] = gpu_seconds(device, body(nodes), alone)
    first, last = min(found), max(found)
    slope = (np.median(found[last]) - np.median(found[first])) / (last - first)
    return {"ms": {str(n): spread(s) for n, s in found.items()}, "ms per further kernel": 1e3 * float(slope)}


def _feed(feed: Feed, host: np.ndarray, array: Any) -> None:
    feed.begin()
    feed.put(host, Array(array))
    feed.send()
    feed.deliver()
    feed.delivered()


def _copies(device: Device, effort: Effort) -> Result:
    found, feed = {}, device.feed()
    for name, nbytes in (("64 B", 64), ("50 KB", 50_000)):
        array = device.empty((nbytes,), np.uint8)
        host = np.ones(nbytes, np.uint8)
        bodies = {
            "put": lambda a=array, h=host: device.put(h, a),
            "feed": lambda a=array, h=host: _feed(feed, h, a),
            "get": lambda a=array: device.get(a),
        }
        for what, body in bodies.items():
            queued, done = host_seconds(device.synchronize, body, effort)
            found[f"{what} of {name}"] = {"queued": spread(queued), "done": spread(done)}
    nbytes = effort.nbytes // 4
    host, array = np.ones(nbytes, np.uint8), device.empty((nbytes,), np.uint8)
    _, done = host_seconds(device.synchronize, lambda: _feed(feed, host, array), effort._replace(calls=2))
    return {
        "ms": found,
        "GB/s on the device": rates(2e-9 * effort.nbytes, copy_seconds(device, effort)),
        "GB/s from the host, by a feed": rates(1e-9 * nbytes, done),
    }


def _cublas(device: CudaDevice, effort: Effort) -> Result:
    if device.blas is None:
        return {"verdict": "cuBLAS is not found"}
    rng = np.random.default_rng(0)
    factors = [rng.standard_normal((64, 64), np.float32) for _ in range(2)]
    a, b, c = (device.empty((64, 64)) for _ in range(3))
    for host, array in zip(factors, (a, b)):
        device.put(host, array)
    device.gemm(a, b, c)
    graph = device.capture(lambda: device.gemm(a, b, c))
    device.fill(c, 0)
    graph()
    worst = float(abs(device.get(c) - factors[0].astype(np.float64) @ factors[1]).max())
    return {"verdict": "works" if worst < 1e-3 else "gives wrong results", "largest error": worst}


def _products(device: Device, setting: Setting) -> Result:
    shapes = {"small": (8, 8, 8)} if setting.quick else PRODUCTS
    return {
        "GFLOP/s": {
            name: rates(2e-9 * m * n * k, product_seconds(device, (m, n, k), setting.effort))
            for name, (m, n, k) in shapes.items()
        }
    }


def markdown(results: Results) -> list[str]:
    lines, timed = [], {}
    for unit in ("calls", "copies"):
        timed |= results.get(unit, {}).get("ms", {})
    rows = [[name, spelled(r["queued"], 1e3), spelled(r["done"], 1e3)] for name, r in timed.items()]
    lines += table(["asked from Python, µs", "queued", "done"], rows) if rows else []
    if graphs := results.get("graphs", {}).get("ms"):
        lines += table(
            ["kernels in a graph", "µs per launch"], [[n, spelled(s, 1e3)] for n, s in graphs.items()]
        )
        further = results["graphs"]["ms per further kernel"]
        lines += [f"One more kernel in a graph: {digits(1e3 * further)} µs.", ""]
    rates_of = {name: r for name, r in results.get("copies", {}).items() if name.startswith("GB/s")}
    for unit, result in results.items():
        for name, rate in result.get("GFLOP/s", {}).items():
            rates_of[f"GFLOP/s, {unit.removeprefix('products ')}, {name}"] = rate
    lines += table(["rate", "median"], [[n, spelled(r)] for n, r in rates_of.items()]) if rates_of else []
    if verdict := results.get("cuBLAS in a graph", {}).get("verdict"):
        lines += [f"cuBLAS through ctypes inside a capture: {verdict}.", ""]
    return lines
