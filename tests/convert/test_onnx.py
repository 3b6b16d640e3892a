"""The ONNX export as a whole: names, what becomes of training nets, errors, and a proof that can fail."""

from __future__ import annotations

import builtins
import sys

import numpy as np
import pytest

from minicaffe.cli.main import main
from minicaffe.convert import formats
from minicaffe.convert.onnx import export
from minicaffe.convert.onnx.graph import NoEquivalent
from minicaffe.convert.onnx.proof import ProofError, difference
from minicaffe.convert.onnx.rules import RULES, pooling, vision
from minicaffe.errors import ConfigError, DataError, MiniCaffeError, ShapeError, WeightsError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from .exporting import computed, layer, net, onnx, operators, written

DENSE = 'inner_product_param { num_output: 3 weight_filler { type: "xavier" } }'
CONV = 'convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } }'
SMALL = layer("Convolution", CONV, ["x"], ["y"], "conv") + layer("ReLU", "", ["y"], ["y"], "relu")
IMAGE = (2, 3, 5, 6)


def names(values) -> list[str]:
    return [value.name for value in values]


def extents(value) -> list[int | str]:
    return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]


# -- names


def test_names_are_those_of_the_blobs():
    pools = layer("Pooling", "pooling_param { kernel_size: 2 }", ["y"], ["a"], "pool")
    pools += layer("Dropout", "", ["a"], ["a"], "drop") + layer("TanH", "", ["y"], ["b"], "tanh")
    report, model = written(net(SMALL + pools, x=IMAGE))
    assert names(model.graph.input) == ["x"] and names(model.graph.output) == ["a", "b"]
    tensors = [node.output[0] for node in model.graph.node]
    assert tensors == ["y:conv", "y", "a", "b"]  # Split and Dropout are no nodes
    assert sorted(names(model.graph.initializer)) == ["conv.0", "conv.1"]
    assert model.opset_import[0].version == 17 and model.ir_version == 8
    assert report.lines()[0] == "input x 2x3x5x6"
    assert report.lines()[-1].endswith("opset 17, 4 nodes, 112 parameters")


def test_an_input_overwritten_in_place_keeps_its_name():
    report, model = written(net(layer("ReLU", "", ["x"], ["x"], "relu"), x=IMAGE))
    assert names(model.graph.input) == ["x"] and names(model.graph.output) == ["x:relu"]
    assert report.outputs[0].name == "x:relu"


def test_outputs_that_share_a_tensor_are_both_there():
    aliases = layer("Split", "", ["y"], ["a", "b"], "split") + layer("Flatten", "", ["a"], ["c"], "flat")
    _, model = written(net(SMALL + aliases, x=IMAGE))
    assert names(model.graph.output) == ["b", "c"]
    _, model = written(net(layer("Split", "", ["x"], ["a", "b"], "split"), x=IMAGE))
    assert operators(model) == ["Identity", "Identity"]


def test_shared_parameters_are_stored_once():
    shared = layer("InnerProduct", DENSE + 'param { name: "w" } param { name: "b" }', ["x"], ["y"], "one")
    shared += layer("InnerProduct", DENSE + 'param { name: "w" } param { name: "b" }', ["x"], ["z"], "two")
    _, model = written(net(shared, x=(2, 4)))
    assert sorted(names(model.graph.initializer)) == ["one.0", "one.1"]


def test_silence_ends_a_blob():
    _, model = written(net(SMALL + layer("Silence", "", ["z"], [], "end"), x=IMAGE, z=(1,)))
    assert names(model.graph.output) == ["y"]


# -- a free batch


def test_a_free_batch_takes_any():
    head = layer("InnerProduct", DENSE, ["y"], ["s"], "ip") + layer("Softmax", "", ["s"], ["p"], "prob")
    head += layer("Reshape", "reshape_param { shape { dim: 0 dim: 1 dim: -1 } }", ["p"], ["q"], "shape")
    report, model = written(net(SMALL + head, x=IMAGE), free_batch=True)
    assert extents(model.graph.input[0]) == ["batch", 3, 5, 6]
    assert extents(model.graph.output[0]) == ["batch", 1, 3]
    assert report.inputs == {"x": ("batch", 3, 5, 6)}
    assert computed(model, x=np.zeros((7, 3, 5, 6), np.float32))[0].shape == (7, 1, 3)


def test_a_net_of_one_batch_alone_is_refused():
    fixed = layer("Reshape", "reshape_param { shape { dim: 2 dim: 90 } }", ["x"], ["y"])
    with pytest.raises(ShapeError, match="the net fits its batch of 2 alone"):
        written(net(fixed, x=IMAGE), free_batch=True)
    with pytest.raises(ConfigError, match=r"parameters of layer 'layer' \(Scale\) go with the batch"):
        written(net(layer("Scale", "scale_param { axis: 0 }"), x=IMAGE), free_batch=True)
    with pytest.raises(ConfigError, match="no input with a batch"):
        written(net(layer("AbsVal"), x=()), free_batch=True)
    twice = layer("Reshape", "reshape_param { shape { dim: 0 dim: -1 } }", ["y"], ["z"], "shape")
    turned = layer("Concat", "concat_param { axis: 1 }", ["x", "w"], ["y"], "concat")
    written(net(turned + twice, x=(2, 3), w=(2, 4)), free_batch=True)


# -- training nets

TRAINING = (
    'layer { name: "data" type: "Data" top: "data" top: "label" data_param { source: "nowhere" }'
    " transform_param { scale: 0.5 } }"
    + layer("InnerProduct", DENSE, ["data"], ["ip"], "ip")
    + layer("Accuracy", "include { phase: TEST }", ["ip", "label"], ["accuracy"], "accuracy")
    + layer("SoftmaxWithLoss", "softmax_param { axis: -1 }", ["ip", "label"], ["loss"], "loss")
)


def test_a_training_net_is_deployed():
    report, model = written(text.parse(TRAINING, NetParameter), shapes={"data": (2, 4)})
    assert names(model.graph.input) == ["data"] and names(model.graph.output) == ["loss/prob"]
    assert report.notes == [
        "layer 'data' (Data) becomes inputs, which transform_param is not applied to",
        "layer 'accuracy' (Accuracy) is left out",
        "layer 'loss' (SoftmaxWithLoss) becomes Softmax, with the top loss/prob",
    ]
    assert "note: layer 'accuracy' (Accuracy) is left out" in report.lines()


def test_a_source_that_is_not_here_needs_a_shape():
    with pytest.raises(MiniCaffeError, match=r"give the shape of data \(--shape data=\.\.\.\)"):
        written(text.parse(TRAINING, NetParameter))
    with pytest.raises(ConfigError, match="'label', which is no input; hint: known: data"):
        written(text.parse(TRAINING, NetParameter), shapes={"data": (2, 4), "label": (2,)})


def test_a_source_that_is_here_tells_its_shape():
    dummy = "dummy_data_param { shape { dim: 2 dim: 4 } shape { dim: 2 } }"
    param = layer("DummyData", dummy, [], ["data", "label"], "data") + TRAINING.partition("0.5 } }")[2]
    report, _ = written(text.parse(param, NetParameter))
    assert report.inputs == {"data": (2, 4)}


def test_predictions_of_other_losses_become_outputs():
    """As in a siamese net and an autoencoder: what is learned stays, what is made of labels goes."""
    pair = layer("Slice", "", ["pair"], ["left", "right"], "slice")
    pair += layer("InnerProduct", DENSE, ["left"], ["a"], "a") + layer(
        "InnerProduct", DENSE, ["right"], ["b"], "b"
    )
    pair += layer("ContrastiveLoss", "", ["a", "b", "same"], ["loss"], "loss")
    _, model = written(net(pair, pair=(2, 8), same=(2,)))
    assert names(model.graph.output) == ["a", "b"] and names(model.graph.input) == ["pair"]
    coder = layer("Flatten", "", ["x"], ["flat"], "flat") + layer("InnerProduct", DENSE, ["flat"], ["d"], "d")
    coder += layer("Power", "power_param { scale: 2 }", ["t"], ["target"], "power")
    coder += layer("SigmoidCrossEntropyLoss", "", ["d", "target"], ["entropy"], "entropy")
    coder += layer("Sigmoid", "", ["d"], ["s"], "s") + layer(
        "EuclideanLoss", "", ["s", "target"], ["l2"], "l2"
    )
    _, model = written(net(coder, x=IMAGE, t=(2, 3)))
    assert names(model.graph.output) == ["entropy/prob", "s"] and names(model.graph.input) == ["x"]


def test_probabilities_keep_the_name_that_they_have():
    loss = layer("SoftmaxWithLoss", "", ["x", "label"], ["loss", "probabilities"], "loss")
    _, model = written(
        net(
            layer("InnerProduct", DENSE, ["x"], ["x1"], "ip") + loss.replace('"x"', '"x1"'),
            x=(2, 4),
            label=(2,),
        )
    )
    assert names(model.graph.output) == ["probabilities"]


def test_what_reads_a_loss_goes_with_it():
    scores = layer("InnerProduct", DENSE, ["x"], ["y"], "ip")
    scores += layer("SoftmaxWithLoss", "", ["y", "label"], ["a"], "a")
    scores += layer("EuclideanLoss", "", ["y", "t"], ["b"], "b")
    scores += layer("Eltwise", "", ["a", "b"], ["sum"], "sum") + layer("Silence", "", ["sum"], [], "end")
    report, model = written(net(scores, x=(2, 4), label=(2,), t=(2, 3)))
    assert names(model.graph.output) == ["a/prob"] and names(model.graph.input) == ["x"]
    assert report.notes[2:] == ["layer 'sum' (Eltwise) is left out", "layer 'end' (Silence) is left out"]


def test_an_input_without_a_shape_needs_one():
    param = net(SMALL, x=())
    param.layer[0].ClearField("input_param")
    with pytest.raises(ConfigError, match=r"input 'x' has no shape; hint: give the shape of x"):
        written(param)
    written(param, shapes={"x": IMAGE})


def test_two_losses_of_one_name_do_not_clash():
    param = net(layer("InnerProduct", DENSE, ["x"], ["y"], "ip"), x=(2, 4), t=(2, 3))
    for kind, top in (("SigmoidCrossEntropyLoss", "a"), ("SigmoidCrossEntropyLoss", "b")):
        param.layer.append(text.parse(layer(kind, "", ["y", "t"], [top], "loss"), NetParameter).layer[0])
    _, model = written(param)
    assert names(model.graph.output) == ["loss/prob", "loss/prob_"]


def test_a_loss_alone_leaves_nothing():
    with pytest.raises(ConfigError, match="no layer that computes something"):
        written(net(layer("EuclideanLoss", "", ["x", "t"]), x=(2, 3), t=(2, 3)))


# -- errors


def test_all_layers_without_an_equivalent_are_named(tmp_path):
    warp = "roi_warping_param { pooled_h: 2 pooled_w: 2 }"
    bad = layer("ROIWarping", warp, ["x", "r"], ["f"], "warp")
    bad += 'layer { name: "p" type: "Python" bottom: "x" top: "p" python_param { module: "m" layer: "l" } }'
    bad += layer("HDF5Output", "", ["x", "s"], [], "sink")
    out = tmp_path / "net.onnx"
    with pytest.raises(NoEquivalent) as caught:
        export(net(bad, x=IMAGE, s=(2,), r=(2, 5)), None, out)
    assert str(caught.value) == (
        "3 layers have no equivalent in ONNX: layer 'warp' (ROIWarping): how many samples a cell has goes"
        " with the size of its region; ONNX has no such pooling; layer 'p' (Python): what it does stands in"
        " Python code; layer 'sink' (HDF5Output): it writes a file; ONNX only computes"
    )
    assert not list(tmp_path.iterdir())


def test_options_without_an_equivalent_are_named_together(monkeypatch):
    monkeypatch.delitem(RULES, "TanH")
    bad = layer("Dropout", "phase: TRAIN", ["x"], ["a"], "drop") + layer("TanH", "", ["a"], ["b"], "tanh")
    with pytest.raises(NoEquivalent, match=r"2 layers .*'drop' \(Dropout\).*'tanh' \(TanH\): no rule"):
        written(net(bad, x=IMAGE))


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_is_named(package, monkeypatch, tmp_path):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name == package:
            raise ImportError(name=package)
        return real(name, *rest, **more)

    monkeypatch.delitem(sys.modules, package)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(
        ConfigError, match=rf"{package} is not installed; hint: pip install 'minicaffe\[onnx\]'"
    ):
        export("no.prototxt", None, tmp_path / "net.onnx")


def weights_of(param: NetParameter, path, without: str = ""):
    message = Net(param, phase="TEST", seed=3).to_message()
    kept = [one for one in message.layer if one.name != without]
    path.write_bytes(NetParameter(name="w", layer=kept).SerializeToString())
    return path


def test_weights_are_those_of_the_file(tmp_path):
    param = net(SMALL, x=IMAGE)
    weights = weights_of(param, tmp_path / "w.caffemodel")
    _, model = written(param, weights)
    wanted = Net(param, phase="TEST", seed=3).params["conv"][0].data
    (stored,) = (one for one in model.graph.initializer if one.name == "conv.0")
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(stored), wanted)


def test_layers_without_weights_are_named(tmp_path):
    param = net(SMALL + layer("InnerProduct", DENSE, ["y"], ["z"], "ip"), x=IMAGE)
    weights = weights_of(param, tmp_path / "w.caffemodel", without="ip")
    out = tmp_path / "net.onnx"
    with pytest.raises(WeightsError, match=r"w.caffemodel holds no weights for 'ip'"):
        export(param, weights, out)
    assert not out.exists()


def test_weights_of_other_formats(tmp_path):
    param = net(SMALL, x=IMAGE)
    plain = weights_of(param, tmp_path / "w.caffemodel")
    other = tmp_path / "w.npz"
    other.write_bytes(formats.write(formats.read_weights(plain), other))
    deep = tmp_path / "w.caffemodel.h5"
    deep.write_bytes(formats.write(formats.read_weights(plain), deep))
    stored = [written(param, path)[1].graph.initializer for path in (plain, other, deep)]
    assert stored[0] == stored[1] == stored[2]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"cannot write .*No such file"):
        export(net(SMALL, x=IMAGE), None, tmp_path / "nowhere" / "net.onnx")


def test_too_many_parameters_are_refused(monkeypatch):
    monkeypatch.setattr("minicaffe.convert.onnx.model.LIMIT", 400)
    with pytest.raises(ConfigError, match="the parameters take 448 bytes; an ONNX file holds at most 400"):
        written(net(SMALL, x=IMAGE))


def test_errors_name_the_file(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(text.spell(net(SMALL, x=(2,))))
    with pytest.raises(ShapeError, match=r"net\.prototxt:\d+: layer 'conv' \(Convolution\): "):
        export(path, None, tmp_path / "net.onnx")


def test_the_command_line(tmp_path, capsys):
    model, out = tmp_path / "net.prototxt", tmp_path / "net.onnx"
    model.write_text(text.spell(net(SMALL, x=IMAGE)))
    weights = weights_of(net(SMALL, x=IMAGE), tmp_path / "w.caffemodel")
    arguments = ["convert", str(model), str(weights), str(out), "--shape", "x=1,3,4,4", "--free_batch"]
    assert main(arguments) == 0
    assert capsys.readouterr().out.startswith("input x batchx3x4x4\noutput y 1x4x4x4: differs")
    assert extents(onnx.load(out).graph.input[0]) == ["batch", 3, 4, 4]


# -- the proof


def test_a_wrong_pad_is_caught(monkeypatch, tmp_path):
    """Of the right size, at the wrong end; and so that the outputs, which saturate, hardly show it."""
    right = vision.padding
    monkeypatch.setattr(vision, "padding", lambda *g: [0, 0, *(2 * pad for pad in right(*g)[2:])])
    flat = layer("Power", "power_param { scale: 1e-6 }", ["y"], ["z"], "power")
    flat += layer("Softmax", "", ["z"], ["prob"], "prob")
    out = tmp_path / "net.onnx"
    out.write_bytes(b"before")
    with pytest.raises(
        ProofError, match=r"blob 'y' differs by .* of its largest value; at most 0.0001 .*hint"
    ):
        export(net(SMALL + flat, x=IMAGE), None, out)
    assert out.read_bytes() == b"before" and len(list(tmp_path.iterdir())) == 1


def test_a_wrong_divisor_is_caught(monkeypatch, tmp_path):
    """ONNX's own way to count the padding."""
    monkeypatch.setattr(pooling, "max", lambda *values: 0, raising=False)
    pool = layer("Pooling", "pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }")
    with pytest.raises(ProofError):
        export(net(pool, x=(1, 1, 4, 4)), None, tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_a_wrong_shape_is_caught(monkeypatch):
    monkeypatch.setitem(RULES, "Flatten", lambda w: w("Identity", w.x))
    with pytest.raises(ProofError, match=r"finds the model wrong|has the shape"):
        written(net(layer("Flatten"), x=IMAGE))


def test_a_model_that_does_not_run_is_caught(monkeypatch):
    monkeypatch.setitem(RULES, "Embed", lambda w: w("Gather", w.param(w.layer.params[0]), [9, 9], axis=0))
    embed = layer("Embed", "embed_param { num_output: 2 input_dim: 3 bias_term: false }")
    with pytest.raises(
        ProofError, match=r"onnxruntime .* does not run the model: .*hint: nothing was written"
    ):
        written(net(embed, x=(2,)))


def test_a_fault_at_another_batch_is_caught(monkeypatch):
    monkeypatch.setitem(RULES, "Flatten", lambda w: w("Reshape", w.x, [2, -1]))
    written(net(layer("Flatten"), x=IMAGE))
    with pytest.raises(ProofError):
        written(net(layer("Flatten"), x=IMAGE), free_batch=True)


def test_outputs_that_are_never_finite_prove_nothing():
    log = layer("Log", "log_param { shift: -99 }")
    with pytest.raises(ProofError, match=r"no finite value .* nothing is proven; hint: give inputs"):
        written(net(log, x=IMAGE))
    high = {"x": np.full(IMAGE, 100, np.float32)}
    written(net(log, x=IMAGE), inputs=high)
    written(net(log, x=IMAGE), inputs=high, free_batch=True)


def test_differences():
    inf, nan = np.inf, np.nan
    a = np.array([1, -4, nan, inf])
    assert difference(a, a) == (0, 0)
    assert difference(a, np.array([1, -3, nan, inf])) == (1, 0.25)
    assert difference(a, np.array([1, -4, 0, inf])) == (inf, inf)
    assert difference(a, np.array([1, -4, nan, -inf])) == (inf, inf)
    assert difference(np.zeros(2), np.array([0, 1e-9])) == (1e-9, inf)
    assert difference(np.zeros(0), np.zeros(0)) == (0, 0)
