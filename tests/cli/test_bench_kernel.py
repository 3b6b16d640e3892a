"""minicaffe bench kernel: every algorithm of a call, a user's beside ours, and what is refused."""

from __future__ import annotations

import json

import pytest

from minicaffe.bench import roof
from minicaffe.bench.roof import Roof

from ..support.running import run

IP = ("InnerProduct", "--shape", "x=4,3", "--param", "inner_product_param { num_output: 5 }")
SHORT = ("--turns", 1, "--block", "0.001")
OWN = """
import numpy as np
from minicaffe.kernels.gemm import Gemm
from minicaffe.kernels.registry import kernel

def gemm(a, b, c, g):
    a, b = (x.reshape(shape[::-1]).T if turned else x.reshape(shape)
            for x, shape, turned in ((a, (g.m, g.k), g.ta), (b, (g.k, g.n), g.tb)))
    c += (a @ b - (0 if g.add else c.reshape(g.m, g.n))).ravel()
def wrong(a, b, c, g):
    c[:] = 1
def fails(a, b, c, g):
    raise ZeroDivisionError("too fast")
def few(a, b):
    pass
def elsewhere(a, b, c, g):
    pass
@kernel(blocks=lambda a, b, c, g: 1, parallel=False)
def declared(a, b, c, g: Gemm):
    for i in range(g.m):
        for j in range(g.n):
            total = c[0] * 0
            for p in range(g.k):
                total += a[p * g.m + i if g.ta else i * g.k + p] * b[j * g.k + p if g.tb else p * g.n + j]
            c[i * g.n + j] = c[i * g.n + j] + total if g.add else total
"""


@pytest.fixture(autouse=True)
def known_roof(monkeypatch):
    monkeypatch.setattr(roof, "measure", lambda device: Roof(100e9, 10e9, 20e9))


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(OWN)
    return path


def bench(capsys, *words):
    return run(capsys, "bench", "kernel", *words, *SHORT)


def test_every_algorithm_and_a_users(mine, tmp_path, capsys):
    own = [f"{mine}:gemm", f"{mine}:wrong=gemm", f"{mine}:fails=gemm", f"{mine}:declared=gemm"]
    flags = [word for one in own for word in ("--with", one)]
    result = bench(capsys, *IP, *flags, "--kernel", "gemm", "--json", tmp_path / "out.json")
    assert result.status == 0, result.err
    assert "forward: gemm m=4 n=5 k=3" in result.out
    assert "mine.py:fails: ZeroDivisionError: too fast" in result.out
    found = json.loads((tmp_path / "out.json").read_text())
    assert (found["format"], found["kind"], found["what"]) == (1, "kernel", "InnerProduct 4x3")
    assert {call["kernel"] for call in found["calls"]} == {"gemm"}
    assert [call["way"] for call in found["calls"]] == ["forward", "backward", "backward"]
    for call in found["calls"]:
        assert call["flops"] == 2 * 4 * 5 * 3 and call["bytes"] >= 4 * (12 + 15 + 20)
        rows = {row["name"]: row for row in call["algorithms"]}
        assert call["algorithms"][0]["used"] and sum(r["used"] for r in rows.values()) == 1
        assert set(rows) >= {"minicaffe", "loops", "NumPy's BLAS", "mine.py:gemm", "mine.py:declared"}
        for name in ("minicaffe", "loops", "NumPy's BLAS", "mine.py:gemm", "mine.py:declared"):
            assert rows[name]["error"] < 1e-5 and rows[name]["ms"]["median"] > 0, name
        assert rows["mine.py:wrong"]["error"] > 0.1
        assert rows["mine.py:fails"]["failed"] and rows["mine.py:fails"]["ms"] is None


def test_a_layer_of_a_net(tmp_path, capsys):
    path = tmp_path / "net.prototxt"
    path.write_text(
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 8 dim: 3 dim: 6 dim: 6 } } }\n'
        'layer { name: "c" type: "Convolution" bottom: "x" top: "y"\n'
        "  convolution_param { num_output: 4 kernel_size: 3 stride: 2 pad: 1 group: 1 } }"
    )
    result = bench(capsys, path, "--layer", "c", "--batch", 2)
    assert result.status == 0 and "Convolution 2x3x6x6" in result.out
    titles = [line.split(":")[1].split()[0] for line in result.out.splitlines() if "ward:" in line]
    assert titles[0] == "conv_forward" and {"conv_backward_weights", "conv_backward_data"} <= set(titles)
    errors = [float(line.split()[-1]) for line in result.out.splitlines() if line.startswith("NumPy's")]
    assert len(errors) == 3 and max(errors) < 1e-5
    forward = bench(capsys, path, "--layer", "c", "--batch", 1, "--phase", "TEST")
    assert "backward:" not in forward.out


@pytest.mark.parametrize(
    "words, said",
    [
        (("--with", "gemm"), "--with gemm: no file and function; hint: --with FILE.py:FUNCTION"),
        (("--with", "no.py:gemm"), "there is no file no.py"),
        (("--with", "mine.py:gem"), "mine.py has no function 'gem'; hint: did you mean 'gemm'"),
        (("--with", "mine.py:few=gemm"), "gemm takes (a, b, c, g); the function takes (a, b)"),
        (("--with", "mine.py:elsewhere"), "the layer calls no kernel 'elsewhere'"),
        (("--with", "bad.py:gemm"), "importing bad.py: SyntaxError"),
        (("--kernel", "gem"), "--kernel gem: the layer calls no such kernel; hint: did you mean 'gemm'"),
        (("--layer", "ip"), "--layer is of a net, and InnerProduct is a type"),
        (("--json", "/no/folder/x.json"), "cannot write /no/folder/x.json"),
    ],
)
def test_bad_flags(mine, capsys, monkeypatch, words, said):
    monkeypatch.chdir(mine.parent)
    (mine.parent / "bad.py").write_text("def gemm(:")
    result = bench(capsys, *IP, *words)
    assert result.status == 1 and said in result.err


@pytest.mark.parametrize(
    "words, said",
    [
        (("Convolutoin",), "Convolutoin: neither a net nor the type of a layer; hint: did you mean"),
        (("Convolution",), "Convolution: no shape of a bottom"),
        (("Convolution", "--shape", "x=1,1,4,4"), "kernel_size"),
        (("Convolution", "--shape", "x=1,1,4,4", "--param", "kernel: 3"), "--param"),
        (("lenet/deploy",), "no --layer is named; hint: known: conv1"),
        (("lenet/deploy", "--layer", "conv3"), "the net has no such layer; hint: did you mean"),
        (("lenet/deploy", "--param", "name: 'x'"), "--param is for a layer that is given by its type"),
    ],
)
def test_what_is_not_there(capsys, words, said):
    result = bench(capsys, *words)
    assert result.status == 1 and said in result.err
