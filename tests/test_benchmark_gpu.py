"""benchmarks/gpu on the emulated GPU: every section runs, and what fails, crashes or hangs costs no other."""

from __future__ import annotations

import io
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.gpu import supervise
from benchmarks.gpu.__main__ import SECTIONS, main
from benchmarks.gpu.images import Contender, take_turns
from benchmarks.gpu.measure import gpu_seconds, host_seconds, rates, spread
from benchmarks.gpu.report import Report
from benchmarks.gpu.roof import Roof
from benchmarks.gpu.setting import FULL, QUICK, Setting
from benchmarks.gpu.tables import digits, errors, in_a_line, spelled
from minicaffe.errors import DeviceError

from .support import emulator

emulated = pytest.mark.skipif(not emulator.available(), reason="the CUDA emulator needs Linux and g++")
TINY = Setting("emulated", quick=True, nets=("digits",), maths=("FP32",))


def is_spread(found: dict) -> bool:
    return found["repeats"] >= 1 and 0 < found["p25"] <= found["median"] <= found["p75"]


# -- the sections


@emulated
def test_launch():
    section = SECTIONS["launch"]
    results = {unit: section.run(unit, TINY) for unit in section.units(TINY)}
    for times in results["calls"]["ms"].values():
        assert is_spread(times["queued"]) and times["queued"]["median"] <= times["done"]["median"]
    assert list(results["graphs"]["ms"]) == ["1", "10", "40", "200"]
    assert {"put of 64 B", "feed of 64 B", "get of 50 KB"} <= set(results["copies"]["ms"])
    assert is_spread(results["copies"]["GB/s on the device"])
    assert is_spread(results["products FP32"]["GFLOP/s"]["small"])
    assert results["cuBLAS in a graph"] == {"verdict": "cuBLAS is not found"}
    lines = "\n".join(section.markdown(results))
    for words in (
        "| event |",
        "| 200 |",
        "| GFLOP/s, FP32, small |",
        "inside a capture: cuBLAS is not found.",
    ):
        assert words in lines


@emulated
def test_layers():
    section = SECTIONS["layers"]
    result = section.run("digits FP32 CAFFE", TINY)
    assert is_spread(result["forward"]) and is_spread(result["training"]) and result["batch"] == 2
    rows = {row["name"]: row for row in result["layers"]}
    conv = rows["conv2"]
    assert conv["type"] == "Convolution" and conv["tops"] == [[2, 50, 4, 4]]
    assert conv["backward"]["flops"] > conv["forward"]["flops"] == 2 * 2 * 50 * 16 * 20 * 25
    assert conv["forward"]["of roof"] > 0 and conv["forward"]["GFLOP/s"] > 0
    lines = "\n".join(section.markdown({"digits FP32 CAFFE": result}))
    assert "| digits, batch 2, ms | forward |" in lines and "| conv2 | 0.00100 (" in lines


@emulated
def test_a_layer_that_fails_is_named_and_the_others_go_on(monkeypatch):
    calls = []

    def seconds(device, body, effort):
        calls.append(body())
        if len(calls) == 6:  # two passes, conv1 both ways, pool1 forward, and this
            raise DeviceError("planted")
        return np.full(effort.repeats, 1e-3)

    monkeypatch.setattr("benchmarks.gpu.layers.gpu_seconds", seconds)
    section, unit = SECTIONS["layers"], "digits FP32 CAFFE"
    result = section.run(unit, TINY)
    assert {row["name"]: row["error"] for row in result["layers"] if "error" in row} == {
        "pool1": "DeviceError: planted"
    }
    assert "- digits FP32 CAFFE, layer pool1: DeviceError: planted" in section.markdown({unit: result})


@emulated
@pytest.mark.parametrize("what", ["training", "latency", "inference"])
def test_images_with_an_engine_that_is_missing(what):
    section = SECTIONS["images"]
    result = section.run(f"digits {what}", TINY)
    assert result["batch"] == (1 if what == "latency" else 2)
    found = result["contenders"]["FP32 CAFFE"]
    assert is_spread(found["ms"]) and is_spread(found["images/s"])
    missing = result["contenders"]["FP32 CUDNN"]["error"]
    assert "engine: CUDNN needs cuDNN" in missing and "\n" not in missing
    lines = "\n".join(section.markdown({f"digits {what}": result}))
    assert "| FP32 CAFFE |" in lines and f"- digits {what}, FP32 CUDNN: DeviceError" in lines


def test_contenders_take_turns_and_one_that_fails_leaves():
    said = []

    def contender(name, lasts):
        def steps(count):
            said.append(name)
            if said.count(name) > lasts:
                raise ValueError("worn\nout")

        return lambda: Contender(steps)

    makers = {"a": contender("a", 99), "b": contender("b", 3), "c": lambda: 1 / 0}
    times, failed = take_turns(makers, QUICK)
    assert "".join(said) == "aabb" + "ab" + "ab"  # twice to begin with, then in turns
    assert len(times["a"]) == QUICK.rounds
    assert failed == {"b": "ValueError: worn out", "c": "ZeroDivisionError: division by zero"}


@emulated
def test_lenet():
    section = SECTIONS["lenet"]
    units = section.units(TINY)
    assert units[0] == "GPU, FP32, 10000 iterations" and units[-1] == "CPU, FP32, 1000 iterations"
    results = {unit: section.run(unit, TINY) for unit in (units[0], units[-1])}
    gpu, cpu = (result["runs"][0] for result in results.values())
    assert gpu["accuracy"] == cpu["accuracy"] == gpu["accuracies"][-1][1]
    assert gpu["solving s"] > 0 and "GPU, FP32, 10000 iterations, run 1" in "\n".join(
        section.markdown(results)
    )


@emulated
def test_memory():
    section = SECTIONS["memory"]
    unit = section.units(TINY)[0]
    result = section.run(unit, TINY)
    planned = result["planned"]
    assert planned["total"] == sum(
        planned[k] for k in ("parameters", "gradients", "history", "own", "planned")
    )
    assert result["by the driver"] == 0 and result["pool, in use"] is None and result["workspace"] > 0
    assert "| digits CAFFE, batch 2 |" in "\n".join(section.markdown({unit: result}))


def test_memory_asks_the_pool_of_cupy():
    """What the emulated CuPy does not have."""
    pool = SimpleNamespace()
    device = SimpleNamespace(cupy=SimpleNamespace(get_default_memory_pool=lambda: pool))
    assert SECTIONS["memory"]._pool(device) is pool


@emulated
def test_beside_pytorch():
    pytest.importorskip("torch")
    for section, unit in (("layers", "digits FP32 PyTorch"), ("images", "digits training")):
        assert unit in SECTIONS[section].units(TINY)
        result = SECTIONS[section].run(unit, TINY)
        assert not [r for r in result.get("contenders", {}).values() if "PyTorch" in str(r)]
        if section == "layers":
            assert all("error" not in row for row in result["layers"])


# -- the command


@emulated
def test_the_command(tmp_path, capsys):
    flags = ["--quick", "--device", "emulated", "--nets", "digits", "--maths", "FP32"]
    status = main(["--out", str(tmp_path / "new"), "--sections", "launch,memory", *flags])
    assert status == 0
    found = json.loads((tmp_path / "new" / "gpu.json").read_text())
    assert found["machine"]["GPU"] == "emulated GPU" and found["setting"]["nets"] == ["digits"]
    assert (
        list(found["results"]) == ["launch", "memory"] and "error" not in found["results"]["launch"]["calls"]
    )
    lines = (tmp_path / "new" / "gpu.md").read_text()
    assert lines.startswith("# GPU\n") and "- GPU: emulated GPU" in lines and "## memory" in lines
    assert "- digits CUDNN: DeviceError: solver: layer 'conv1'" in lines  # and the others are there
    assert lines.strip() == capsys.readouterr().out.strip()


def test_without_a_gpu_there_is_one_line(tmp_path, capsys, monkeypatch):
    def refuse(setting, math="FP32"):
        raise DeviceError("GPU 0: no GPU is found", hint="nvidia-smi says more")

    monkeypatch.setattr(Setting, "new_device", refuse)
    assert main(["--out", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err == "GPU 0: no GPU is found; hint: nvidia-smi says more\n"
    assert not (tmp_path / "out").exists()


def test_names_that_are_not_known(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path), "--sections", "launch,lunch"])
    assert "'lunch' is not one of launch, layers, images, lenet, memory" in capsys.readouterr().err


@pytest.mark.gpu
def test_on_a_gpu(tmp_path):
    try:
        Setting().new_device()
    except DeviceError as error:
        pytest.skip(str(error))
    assert main(["--out", str(tmp_path), "--quick", "--nets", "digits", "--engines", "CAFFE"]) == 0
    results = json.loads((tmp_path / "gpu.json").read_text())["results"]
    failed = {unit: r["error"] for units in results.values() for unit, r in units.items() if "error" in r}
    assert not failed


# -- processes


class Section:
    """Stands for a section: fails, or fails and leaves the GPU spoiled."""

    def __init__(self, spoiled: bool = False) -> None:
        self.spoiled = spoiled

    def run(self, unit, setting):
        if unit == "bad":
            raise SystemExit("no such\nthing")
        return {"value": unit}


def working(monkeypatch, new_device) -> tuple[int, list[dict]]:
    monkeypatch.setattr(Setting, "new_device", new_device)
    out = io.StringIO()
    status = supervise.work([("s", "good"), ("s", "bad"), ("s", "next")], TINY, {"s": Section()}, out)
    return status, [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_failure_is_a_line_in_its_place(monkeypatch, capsys):
    well = SimpleNamespace(zeros=np.zeros, get=np.array)
    status, results = working(monkeypatch, lambda setting: well)
    assert status == 0
    assert results == [{"value": "good"}, {"error": "SystemExit: no such thing"}, {"value": "next"}]


def test_a_process_ends_when_the_gpu_is_spoiled(monkeypatch, capsys):
    def spoiled(setting):
        raise DeviceError("an illegal memory access")

    status, results = working(monkeypatch, spoiled)
    assert status == supervise.SPOILED and len(results) == 2


WORKER = f"""
import json, sys, time
for section, unit in json.load(sys.stdin):
    if unit == "crash":
        print('{{"half a', end="", flush=True)
        sys.exit(7)
    if unit == "hang":
        time.sleep(60)
    print(json.dumps({{"value": unit}}), flush=True)
    if unit == "spoil":
        sys.exit({supervise.SPOILED})
"""


def test_what_crashes_or_hangs_costs_no_other():
    found = {}
    units = [("s", name) for name in ("a", "crash", "b", "hang", "spoil", "c")]
    supervise.measure_all(units, [sys.executable, "-c", WORKER], lambda u, r: found.setdefault(u[1], r), 3.0)
    assert found == {
        "a": {"value": "a"},
        "crash": {"error": "the process ended with status 7"},
        "b": {"value": "b"},
        "hang": {"error": "no result after 3 s"},
        "spoil": {"value": "spoil"},
        "c": {"value": "c"},
    }


def test_a_process_that_does_nothing_is_not_started_for_ever():
    found = []
    supervise.measure_all([("s", "a"), ("s", "b")], [sys.executable, "-c", ""], lambda *r: found.append(r), 9)
    assert found == [((*unit,), {"error": "the process ended without a result"}) for unit in ("sa", "sb")]


def test_a_run_that_is_cut_keeps_what_it_has(tmp_path):
    about = {"machine": {"GPU": "one"}, "date": "today", "command": "this"}
    report = Report(tmp_path, about, {"memory": SECTIONS["memory"]})
    for number in (1, 2):
        report.add(("memory", f"unit {number}"), {"error": f"E{number}"})
        kept = json.loads((tmp_path / "gpu.json").read_text())["results"]["memory"]
        assert len(kept) == number and f"- unit {number}: E{number}" in (tmp_path / "gpu.md").read_text()


# -- measuring


class Clock:
    """A device whose launches take no time, and the body it runs."""

    body_s = 2**-13  # sums of it are exact

    def __init__(self) -> None:
        self.now, self.graphs = 0.0, []

    def body(self) -> None:
        self.now += self.body_s

    def capture(self, body):
        before = self.now
        body()
        length, self.now = self.now - before, before
        self.graphs.append(length)

        def replay() -> None:
            self.now += length

        return replay

    def clock(self):
        return lambda: self.now

    def seconds(self, earlier, later):
        return later - earlier


def test_short_work_is_repeated_within_a_graph():
    device = Clock()
    found = gpu_seconds(device, device.body, FULL)
    assert found.shape == (FULL.repeats,)
    assert (found == device.body_s).all()
    assert device.graphs == [device.body_s, 5 * device.body_s]  # at least FULL.graph_s
    gpu_seconds(device, device.body, FULL._replace(graph_s=1e9, copies=7))
    assert device.graphs[-1] == 7 * device.body_s


def test_the_wait_behind_calls_counts_apart():
    waits = []
    queued, done = host_seconds(lambda: waits.append(1), lambda: None, QUICK)
    assert (queued > 0).all() and (done >= queued).all() and len(waits) == 2 * QUICK.repeats


def test_spreads_and_rates():
    assert spread(np.array([1, 2, 3.0])) == {"median": 2000, "p25": 1500, "p75": 2500, "repeats": 3}
    assert rates(6, np.array([1, 2, 3.0])) == {"median": 3, "p25": 2.5, "p75": 4.5, "repeats": 3}


def test_the_roof():
    roof = Roof(flops_per_s=100, bytes_per_s=10)
    assert roof.share(200, 10, 4) == 0.5 and roof.share(100, 30, 4) == 0.75
    assert roof.share(None, None, 1) is None and roof.share(5, 5, 0) is None


def test_numbers_in_tables():
    assert [digits(x) for x in (None, 0.0, 0.0123, 1.0, 99.96, 12345.6)] == [
        *("-", "0.00", "0.0123", "1.00", "100", "12,346")
    ]
    assert spelled({"median": 2, "p25": 1, "p75": 3}, 10) == "20.0 (10.0 to 30.0)" and spelled(None) == "-"
    assert errors({"a": {"error": "E"}, "b": {}}) == ["- a: E", ""] and errors({"b": {}}) == []
    assert in_a_line(ValueError()) == "ValueError"
