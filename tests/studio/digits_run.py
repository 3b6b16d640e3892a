"""A run that knows the digits, made once."""

from __future__ import annotations

from pathlib import Path

from minicaffe.cli.main import main

from ..support.running import PROTOTXT

SOLVER = f"""net: "{PROTOTXT / "digits" / "train_test.prototxt"}"
test_iter: 4 test_interval: 200 base_lr: 0.01 momentum: 0.9 weight_decay: 0.0005 lr_policy: "fixed"
display: 50 max_iter: 200 snapshot: 100 snapshot_prefix: "digits" random_seed: 1701
"""


def train(folder: Path) -> Path:
    """The folder of a run of 200 iterations, with snapshots of 100 and 200."""
    solver = folder / "solver.prototxt"
    solver.write_text(SOLVER)
    run = folder / "digits"
    assert main(["train", str(solver), "--run", str(run), "--log", "quiet"]) == 0
    return run
