"""A rival (see this folder's __init__): this package itself, as it is in another folder: what a change of its
sources brings."""

from __future__ import annotations

import sys
from typing import Any


def make(job: dict[str, Any]) -> dict[str, Any]:
    folder = job["options"]["folder"]
    sys.path.insert(0, folder)
    import numpy as np

    import minicaffe
    from minicaffe.proto import upgrade
    from minicaffe.proto.schema import SolverParameter

    arrays = np.load(job["inputs"])
    given = {name: arrays[key] for name, key in job["names"].items()}
    if not job["trains"]:
        net = minicaffe.Net(job["prototxt"], phase="TEST", keep="needed", forward_only=True, seed=1)
        net.load(job["caffemodel"])
        net.put_inputs(given)
        return {"version": f"minicaffe of {folder}", "step": net.forward, "outputs": net.forward}
    update = job["update"]
    param = SolverParameter(lr_policy="fixed", random_seed=1, type=update["type"])
    param.base_lr, param.momentum, param.weight_decay = update["rate"], update["momentum"], update["decay"]
    param.net_param.CopyFrom(upgrade.read_net(job["prototxt"]))
    solver = minicaffe.Solver.create(param)
    solver.net.load(job["caffemodel"])
    solver.net.put_inputs(given)

    def loss() -> dict[str, Any]:
        solver.net.forward()
        return {"": np.float64(solver.net.loss())}

    return {"version": f"minicaffe of {folder}", "step": lambda: solver.step(1), "outputs": loss}
