"""minicaffe convert: nets and solvers in today's schema, without our extensions if asked; weights and solver
states in other formats."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from minicaffe import Net
from minicaffe.checking.table import size
from minicaffe.convert import formats
from minicaffe.convert.fold import fold
from minicaffe.proto import binary, text
from minicaffe.proto.schema import NetParameter, SolverParameter, SolverState

from ..convert.files import NET, same, weights
from ..support.running import run


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_solver_without_extensions(capsys):
    Path("in").write_text('net: "n" type: "AdamW" base_lr: 0.1 keep_last: 2 lr_policy: "fixed"')
    result = run(capsys, "convert", "in", "out", "--strip")
    assert result.status == 0
    wanted = ["in: keep_last: removed", "in: type: AdamW: replaced by type: Adam"]
    assert sorted(result.err.splitlines()) == wanted
    wanted = 'net: "n" type: "Adam" base_lr: 0.1 lr_policy: "fixed"'
    assert text.read("out", SolverParameter) == text.parse(wanted, SolverParameter)


def test_an_old_solver_and_an_old_net(capsys):
    Path("in").write_text('net: "n" solver_type: ADAM')
    assert run(capsys, "convert", "in", "-").out == 'net: "n"\ntype: "Adam"\n'
    Path("net").write_text('layers { name: "a" type: RELU bottom: "x" top: "x" }')
    assert run(capsys, "convert", "net", "out").status == 0
    assert text.read("out", NetParameter).layer[0].type == "ReLU"


def test_errors_leave_no_file(capsys):
    Path("in").write_text("nett: 1")
    result = run(capsys, "convert", "in", "out")
    assert result.status == 1 and "has no field 'nett'" in result.err and not Path("out").exists()
    Path("in").write_text("keep_last: 1")
    result = run(capsys, "convert", "in", "out", "--strip")
    assert result.status == 1 and "holds nothing that could be written" in result.err
    Path("in").write_text('net: "n"')
    result = run(capsys, "convert", "in", "gone/out")
    assert result.status == 1 and "cannot write gone/out: No such file" in result.err


def test_to_bvlc(capsys):
    """Layers of forks become Caffe's, or are refused by name; --strip is the same."""
    layers = (
        'layer { name: "x" type: "Input" top: "x" top: "a" input_param { shape { dim: [1, 2, 3, 3] } '
        'shape { dim: [1, 2, 1, 1] } } } layer { name: "sum" type: "Axpy" bottom: "a" bottom: "x" bottom: "x"'
        ' top: "y" } layer { name: "relu" type: "ReLU6" bottom: "y" top: "z" }'
    )
    Path("in").write_text(layers)
    for flags in (("--to", "bvlc"), ("--strip",)):
        result = run(capsys, "convert", "in", "out", *flags)
        assert result.status == 0
        assert "in: layer 'sum' (Axpy) becomes Flatten, Scale, Eltwise" in result.err.splitlines()
        types = [one.type for one in text.read("out", NetParameter).layer]
        assert types == ["Input", "Flatten", "Scale", "Eltwise", "Clip"]
    Path("in").write_text(layers + 'layer { name: "p" type: "Permute" bottom: "z" top: "p" }')
    result = run(capsys, "convert", "in", "gone", "--to", "bvlc")
    assert result.status == 1 and not Path("gone").exists()
    assert "layer[5].type: Permute: Caffe has no such layer, and none that could take its place" in result.err
    result = run(capsys, "convert", "in", "gone", "--to", "segnet")
    assert result.status == 1 and "invalid choice: 'segnet'" in result.err


def test_folding_what_becomes_batch_norm(capsys):
    """BN of PSPNet goes into the convolution before it; .npz names no types."""
    layers = (
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: [1, 3, 4, 4] } } }'
        'layer { name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param { num_output: 2'
        ' kernel_size: 3 bias_term: false weight_filler { type: "msra" } } }'
        'layer { name: "bn" type: "BN" bottom: "c" top: "c" bn_param { slope_filler { value: 2 } } }'
    )
    Path("n.prototxt").write_text(layers)
    net = Net(text.parse(layers, NetParameter), phase="TEST", seed=1)
    for blob in net.params["bn"]:
        blob.data[...] = np.random.default_rng(1).uniform(0.5, 1.5, blob.shape)
    for name in ("a.npz", "a.caffemodel"):
        net.save(name)
        given = ("n.prototxt", name, "f.prototxt", "f.caffemodel", "--fold", "--to", "bvlc")
        result = run(capsys, "convert", *given)
        assert result.status == 0 and "bn/scale: folded into c" in result.err
        assert [one.type for one in text.read("f.prototxt", NetParameter).layer] == ["Input", "Convolution"]


# -- weights and solver states


def store(path: str, message=None) -> None:
    Path(path).write_bytes(formats.write(weights() if message is None else message, path))


def test_weights_through_every_format(capsys):
    store("a.caffemodel")
    for source, target in (
        ("a.caffemodel", "b.npz"),
        ("b.npz", "c.safetensors"),
        ("c.safetensors", "d.caffemodel.h5"),
        ("d.caffemodel.h5", "e.caffemodel"),
    ):
        result = run(capsys, "convert", source, target)
        assert result.status == 0 and not result.err
        written = size(Path(target).stat().st_size)
        assert result.out == f"wrote {target}: weights of 2 layers, 13 values, {written}\n"
    same(formats.read("e.caffemodel"), weights())


def test_a_solver_state(capsys):
    state = SolverState(iter=3, history=[binary.from_array(np.array([1.0, np.nan], np.float32))])
    store("s.solverstate", state)
    result = run(capsys, "convert", "s.solverstate", "t.solverstate.h5")
    assert result.status == 0
    assert "s.solverstate: history 0: 1 of 2 values are NaN or infinite" in result.err
    assert formats.read("t.solverstate.h5").iter == 3
    result = run(capsys, "convert", "s.solverstate", "t.npz")
    assert result.status == 1 and "t.npz: a solver state cannot be written as a .npz file" in result.err
    assert not Path("t.npz").exists()


def test_doubts(capsys):
    net = weights(diff=True)
    net.layer[1].blobs[1].CopyFrom(binary.from_array(np.array([np.inf, 1], np.float32)))
    net.layer[2].blobs[2].CopyFrom(binary.from_array(np.zeros(1, np.float32)))
    store("a.caffemodel", net)
    result = run(capsys, "convert", "a.caffemodel", "b.h5")
    assert result.status == 0
    assert [line.split("] ")[1] for line in result.err.splitlines()] == [
        "a.caffemodel: layer 'a/b', blob 1: 1 of 2 values are NaN or infinite",
        "a.caffemodel: layer 'bn': the correction of its statistics is 0, so that they count as 0; 1 was"
        " probably meant",
        "a.caffemodel: 2 layers have gradients (diff) beside the weights",
    ]
    Path("n.prototxt").write_text(NET)
    result = run(capsys, "convert", "n.prototxt", "n.caffemodel")
    assert result.status == 0 and "n.prototxt: no layer has weights" in result.err


def test_with_a_net(capsys):
    Path("n.prototxt").write_text(NET)
    store("a.npz")
    result = run(capsys, "convert", "a.npz", "b.caffemodel", "--model", "n.prototxt")
    assert result.status == 0 and not result.err
    same(formats.read("b.caffemodel"), weights())
    Path("n.prototxt").write_text(NET.replace("num_output: 2", "num_output: 4"))
    result = run(capsys, "convert", "a.npz", "c.caffemodel", "--model", "n.prototxt")
    assert result.status == 1 and not Path("c.caffemodel").exists()
    assert "a.npz: layer 'a/b' (InnerProduct): parameter 0: stored with shape (2, 3)" in result.err


@pytest.mark.parametrize("suffix", [".caffemodel", ".caffemodel.h5", ".npz", ".safetensors"])
def test_damaged_weights_leave_no_file(suffix, capsys):
    store(f"a{suffix}")
    whole = Path(f"a{suffix}").read_bytes()
    Path(f"a{suffix}").write_bytes(whole[: len(whole) // 2])
    for target in ("b.caffemodel", "b.npz", "b.prototxt"):
        result = run(capsys, "convert", f"a{suffix}", target)
        assert result.status == 1 and f"error: a{suffix}: " in result.err and not Path(target).exists()
    bad = weights()
    bad.layer[1].blobs[0].shape.dim[0] = 3
    store("a.caffemodel", bad)
    result = run(capsys, "convert", "a.caffemodel", "b.caffemodel")
    assert result.status == 1 and not Path("b.caffemodel").exists()
    assert (
        "a.caffemodel: layer 'a/b': blob 0: a blob of shape (3, 3) holds 6 values; expected 9" in result.err
    )


def test_weights_go_to_no_prototxt_by_a_slip(capsys):
    store("a.npz")
    for target in ("b.npy", "b.caffemodel.gz"):
        result = run(capsys, "convert", "a.npz", target)
        assert result.status == 1 and not Path(target).exists()
        assert (
            f"{target}: no format of weights ends in {Path(target).suffix}; hint: names end in" in result.err
        )
    for target in ("b.prototxt", "b"):
        assert run(capsys, "convert", "a.npz", target).status == 0


def test_layers_that_the_net_lacks_are_named(capsys):
    Path("n.prototxt").write_text(NET)
    net = weights()
    net.layer.add(name="more", type="Bias", blobs=[binary.from_array(np.ones(2, np.float32))])
    for suffix in ("npz", "h5"):
        store(f"a.{suffix}", net)
        result = run(capsys, "convert", f"a.{suffix}", "b.caffemodel", "--model", "n.prototxt")
        assert result.status == 0
        assert f"a.{suffix}: left out, not being in the net: 'more'" in result.err
    result = run(capsys, "convert", "n.prototxt", "a.npz", "f.prototxt", "f.npz", "--fold")
    assert result.status == 0 and result.err.startswith(
        "bn: folded into a/b\nmore: is not in the net\nproven"
    )


def test_a_scale_of_nvidia_caffe_that_the_net_lacks_is_named(capsys):
    net = weights()
    net.layer.add(name="bn/scale", type="Scale", blobs=[binary.from_array(np.ones(2))] * 2)
    store("a.npz", net)
    Path("n").write_text(NET)
    result = run(capsys, "convert", "a.npz", "b.npz", "--model", "n")
    assert result.status == 0 and "left out, not being in the net: 'bn/scale'" in result.err
    Path("n").write_text(
        NET + 'layer { name: "s" type: "Scale" bottom: "y" top: "y" scale_param { bias_term: true } }'
    )
    result = run(capsys, "convert", "a.npz", "b.npz", "--model", "n")
    assert result.status == 0 and not result.err


def test_the_state_of_the_net_for_weights(capsys):
    more = 'layer { name: "more" type: "Bias" bottom: "y" top: "z" include { stage: "s" min_level: 2 } }'
    Path("n.prototxt").write_text(NET + more)
    store("a.npz")
    command = ["convert", "a.npz", "b.npz", "--model", "n.prototxt"]
    assert run(capsys, *command, "--level=2").status == run(capsys, *command, "--stage=s").status == 0
    result = run(capsys, *command, "--level=2", "--stage=s")
    assert result.status == 1 and "a.npz: layer 'more' of n.prototxt is not in it" in result.err


def test_a_pipe_is_written_to_and_stays(capsys):
    """A file that took the name of /dev/null or /dev/stdout would be the end of it."""
    Path("n.prototxt").write_text(NET)
    os.mkfifo("pipe")
    with ThreadPoolExecutor() as pool:
        for command in ("convert", "upgrade_net_proto_text"):
            read = pool.submit(Path("pipe").read_text)
            assert run(capsys, command, "n.prototxt", "pipe").status == 0
            assert text.parse(read.result(), NetParameter) == text.parse(NET, NetParameter)
    assert Path("pipe").is_fifo()


def test_a_folder_among_the_files_leaves_the_others(capsys):
    Path("n.prototxt").write_text(NET)
    store("a.npz")
    Path("f.npz").write_text("before")
    Path("f.prototxt").mkdir()
    result = run(capsys, "convert", "n.prototxt", "a.npz", "f.prototxt", "f.npz", "--fold")
    assert result.status == 1 and "cannot write f.npz and f.prototxt: Is a directory" in result.err
    assert Path("f.npz").read_text() == "before"


def test_fold(capsys):
    Path("n.prototxt").write_text(NET)
    store("a.npz")
    result = run(capsys, "convert", "n.prototxt", "a.npz", "f.prototxt", "f.caffemodel", "--fold", "--strip")
    assert result.status == 0
    folded, proof = result.err.splitlines()
    assert folded == "bn: folded into a/b" and proof.startswith("proven: outputs differ by at most ")
    lines = [line.rsplit(", ", 1)[0] for line in result.out.splitlines()]
    assert lines == [
        "wrote f.caffemodel: weights of 1 layer, 8 values",
        "wrote f.prototxt: a net of 2 layers",
    ]
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    nets = []
    for model, stored in (("n.prototxt", "a.caffemodel"), ("f.prototxt", "f.caffemodel")):
        store("a.caffemodel")
        nets.append(Net(model, phase="TEST"))
        nets[-1].load(stored)
    one, other = (net.forward(x=x)["y"] for net in nets)
    np.testing.assert_allclose(other, one, rtol=1e-5)
    assert len(nets[1].layers) == 2


def test_a_fold_that_computes_something_else_is_not_written(capsys, monkeypatch):
    from minicaffe.cli import convert

    def wrong(net, stored):
        result = fold(net, stored)
        bias = next(layer for layer in result.weights.layer if layer.blobs).blobs[1]
        bias.CopyFrom(binary.from_array(binary.to_array(bias) + 1))
        return result

    Path("n.prototxt").write_text(NET)
    store("a.npz")
    monkeypatch.setattr(convert, "fold", wrong)
    result = run(capsys, "convert", "n.prototxt", "a.npz", "f.prototxt", "f.npz", "--fold")
    assert result.status == 1 and not Path("f.npz").exists()
    assert "output 'y' differs by 1 after folding" in result.err and "nothing was written" in result.err


def test_a_fold_without_shapes_is_written_and_called_unproven(capsys):
    data = 'layer { name: "d" type: "Data" top: "x" data_param { source: "gone" batch_size: 1 } }'
    rest = NET[NET.index('layer { name: "a/b"') :]
    Path("n.prototxt").write_text(data + rest)
    store("a.npz")
    command = ["convert", "n.prototxt", "a.npz", "f.prototxt", "f.npz", "--fold"]
    result = run(capsys, *command)
    assert result.status == 0 and "not proven: " in result.err and "--shape x=..." in result.err
    assert "\nproven: " in run(capsys, *command, "--shape", "x=2,3").err


def test_weights_take_the_shapes_of_a_net(capsys):
    """The weights of an InnerProduct become those of a Convolution over its whole input."""
    image = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: [2, 3, 4, 5] } } }'
    layer = image + 'layer { name: "f" type: "%s" bottom: "x" top: "y" %s }'
    dense = 'inner_product_param { num_output: 6 weight_filler { type: "xavier" } }'
    Path("dense").write_text(layer % ("InnerProduct", dense))
    conv = "convolution_param { num_output: 6 kernel_h: 4 kernel_w: 5 }"
    Path("conv").write_text(layer % ("Convolution", conv))
    source = Net("dense", seed=3)
    store("a.npz", source.to_message())
    result = run(capsys, "convert", "a.npz", "b.npz", "--model", "conv")
    assert result.status == 1 and "stored with shape (6, 60); the net has (6, 3, 4, 5)" in result.err
    assert "--reshape` stores them in its shapes" in result.err
    for stored in ("a.npz", "a.h5"):
        store(stored, source.to_message())
        result = run(capsys, "convert", stored, "b.caffemodel", "--model", "conv", "--reshape")
        assert result.status == 0 and "layer 'f', blob 0: (6, 60) becomes (6, 3, 4, 5)" in result.err
        target = Net("conv")
        target.load("b.caffemodel")
        x = np.random.default_rng(1).standard_normal((2, 3, 4, 5))
        got = target.forward(x=x)["y"].reshape(2, 6)
        np.testing.assert_allclose(got, source.forward(x=x)["y"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a"], "takes 2 files; got 1; hint: minicaffe convert IN OUT"),
        (["a", "b", "c"], "takes 2 files; got 3"),
        (
            ["a", "b", "--fold"],
            "takes 4 files; got 2; hint: minicaffe convert NET WEIGHTS OUT_NET OUT_WEIGHTS --fold",
        ),
        (["n", "a.npz", "x.caffemodel", "y", "--fold"], "x.caffemodel and y are not a prototxt and weights"),
        (["n", "a.npz", "x", "y.npz", "--fold", "--model", "n"], "--model goes without --fold"),
        (["n", "n", "x", "y.npz", "--fold"], "n holds no weights; hint: names end in .caffemodel"),
        (["n", "a.npz", "x", "gone/y.npz", "--fold"], "cannot write gone/y.npz and x: No such file"),
        (["a.npz", "x.onnx"], "x.onnx: a net cannot be written as a .onnx file"),
        (["a.npz", "x.npz", "--free-batch"], "--free_batch goes with NET WEIGHTS OUT.onnx"),
        (["n", "a.npz", "x.onnx", "--strip"], "--strip goes without NET WEIGHTS OUT.onnx"),
        (["gone.npz", "x"], "cannot read gone.npz"),
        (["a.npz", "x.npz", "--reshape"], "--reshape goes with --model NET"),
        (["a.npz", "x.npz", "--shape", "x=1"], "--shape goes with --deploy, --fold or NET WEIGHTS OUT.onnx"),
        (
            ["a.npz", "x.npz", "--stage", "s"],
            "--level and --stage go with --deploy, --model NET or NET WEIGHTS OUT.onnx",
        ),
        (["n", "x", "--level=0"], "--level and --stage go with --deploy, --model NET"),
        (["a.npz", "x.npz", "--model", "bare"], "bare: no layer has weights"),
        (["empty.solverstate", "x.h5"], "empty.solverstate: holds no solver state; hint: the file is empty"),
        (["a.npz", "."], "cannot write .: Is a directory"),
    ],
)
def test_mistakes(arguments, message, capsys):
    Path("n").write_text(NET)
    Path("bare").write_text('name: "bare"')
    Path("empty.solverstate").touch()
    store("a.npz")
    before = sorted(Path().iterdir())
    result = run(capsys, "convert", *arguments)
    assert result.status == 1 and message in result.err and sorted(Path().iterdir()) == before
