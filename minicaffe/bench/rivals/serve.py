"""The process of a rival: python serve.py RIVAL.py JOB.json.

Every line read is a question in JSON, every line written the answer to one; the first is written unasked,
when the rival is ready.  What the rival's libraries print goes to stderr.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from typing import Any

Answer = dict[str, Any]


def load(path: str) -> Any:
    """The module in a file."""
    spec = importlib.util.spec_from_file_location("rival", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def steps(rival: Answer, wake: int, count: int) -> Answer:
    """The answer to "steps": seconds of every counted one, and processor time of all."""
    own = time.process_time()
    for _ in range(wake):
        rival["step"]()
    seconds = []
    for _ in range(count):
        begun = time.perf_counter()
        rival["step"]()
        seconds.append(time.perf_counter() - begun)
    return {"seconds": seconds, "processor_s": time.process_time() - own}


def start(path: str, job: Answer) -> tuple[Answer, Answer]:
    """The rival, and what is said of it."""
    rival = load(path).make(job)
    told = {"version": str(rival.get("version", "")), "layers": "layers" in rival}
    if "outputs" in rival:
        import numpy as np

        found = rival["outputs"]()
        told["outputs"] = dict(zip(found, (f"o{i}" for i in range(len(found)))))
        np.savez(
            job["answer"],
            allow_pickle=False,
            **{f"o{i}": np.asarray(value) for i, value in enumerate(found.values())},
        )
    return rival, told


def answer(rival: Answer, question: Answer) -> Answer:
    if question["do"] == "steps":
        return steps(rival, question["wake"], question["count"])
    return {"layers": rival["layers"](question["count"])}


def main() -> None:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.path.pop(0)  # this folder

    def say(content: Answer) -> None:
        out.write(json.dumps(content) + "\n")
        out.flush()

    try:
        with open(sys.argv[2]) as file:
            job = json.load(file)
        rival, told = start(sys.argv[1], job)
        say(told)
        for line in sys.stdin:
            say(answer(rival, json.loads(line)))
    except Exception as error:
        import traceback

        traceback.print_exc()
        say({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main()
