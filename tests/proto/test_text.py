"""Prototxt is read as Caffe reads it, and errors say where and what."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, DataError, Place, SchemaError, in_layer, locate
from minicaffe.proto import guesses, text
from minicaffe.proto.forks import is_forks
from minicaffe.proto.schema import TRAIN, LayerParameter, NetParameter, SolverParameter, pool

ACCEPTED = {
    'name:"x"layer{name:"a"type:"b"}': 'name: "x" layer { name: "a" type: "b" }',
    "layer: { include: { phase: TRAIN } }": "layer { include { phase: TRAIN } }",
    'layer < name: "x" >,layer{};': 'layer { name: "x" } layer { }',
    "name: \"a\" 'b'": 'name: "ab"',
    'name: "\\x41\\101\\n"': 'name: "AA\\n"',
    "layer { convolution_param { kernel_size: [3,5] } }": (
        "layer { convolution_param { kernel_size: 3 kernel_size: 5 } }"
    ),
    "layer { convolution_param { pad: 010 } }": "layer { convolution_param { pad: 8 } }",
    "layer { convolution_param { stride: 0x2 } }": "layer { convolution_param { stride: 2 } }",
    "layer { phase: 1 }": "layer { phase: TEST }",
    "force_backward: t": "force_backward: true",
    "force_backward: 1": "force_backward: true",
    "force_backward: False": "force_backward: false",
    "layer { loss_weight: 1. loss_weight: .5f loss_weight: -1e-3 }": (
        "layer { loss_weight: 1.0 loss_weight: 0.5 loss_weight: -0.001 }"
    ),
    "layer { loss_weight: inf loss_weight: nan }": "layer { loss_weight: inf loss_weight: nan }",
    "# a comment\r\nname: 'x'  # another\r\n": 'name: "x"',
    "name: 'x'\rlayer\t{\r\n}\f\v": 'name: "x" layer { }',
    'name: "a", force_backward: true; layer { name: "b"; type: "c", }': (
        'name: "a" force_backward: true layer { name: "b" type: "c" }'
    ),
    "layer { loss_weight: [1, 2], loss_weight: 3; loss_weight: [] }": (
        "layer { loss_weight: 1 loss_weight: 2 loss_weight: 3 }"
    ),
    "layer: [{ name: 'a' }, < name: 'b' >]": 'layer { name: "a" } layer { name: "b" }',
    "input: ['a' \"b\", 'c']": 'input: "ab" input: "c"',
    "layer { include { min_level: -0x1F max_level: -017 } }": (
        "layer { include { min_level: -31 max_level: -15 } }"
    ),
    "layer { convolution_param { pad: 0X1f pad: 4294967295 pad: 0 } }": (
        "layer { convolution_param { pad: 31 pad: 4294967295 pad: 0 } }"
    ),
    "layer { blobs { shape { dim: -9223372036854775808 } } }": (
        "layer { blobs { shape { dim: [-9223372036854775808] } } }"
    ),
    "layers { type: 39 }": "layers { type: DECONVOLUTION }",
    "layer { pooling_param { pool: 2 } }": "layer { pooling_param { pool: STOCHASTIC } }",
    "layer { reduction_param { operation: 4 } }": "layer { reduction_param { operation: MEAN } }",
    "debug_info: true force_backward: f": "debug_info: True force_backward: 0",
    "layer { loss_weight: -inf loss_weight: infinity loss_weight: 1E+3F loss_weight: 7 loss_weight: 1e99 }": (
        "layer { loss_weight: -inf loss_weight: inf loss_weight: 1000 loss_weight: 7 loss_weight: inf }"
    ),
    "name: '\\'\\\"\\\\\\t\\r\\a\\b\\f\\v\\0'": (
        'name: "\\047\\042\\134\\011\\015\\007\\010\\014\\013\\000"'
    ),
    "name: 'caf\u00e9 \U0001f600' # caf\u00e9": 'name: "caf\\303\\251 \\360\\237\\230\\200"',
    "name: '\\u00e9'": 'name: "\u00e9"',
    '\ufeffname: "x"': 'name: "x"',
    "": "",
}


@pytest.mark.parametrize("source", ACCEPTED)
def test_accepted(source):
    got = text.spell(text.parse(source, NetParameter))
    assert got == text.spell(text.parse(ACCEPTED[source], NetParameter))


REFUSED = {
    "// comment": (1, 1, "Expected identifier or number, got /; hint: comments begin with #"),
    'name: "x"\nlayer {\n  nmae: "y"\n}': (
        3,
        3,
        "no field 'nmae'; hint: did you mean 'name'",
    ),
    "layer { phase: TRIAN }": (1, 16, "Phase has no value 'TRIAN'; hint: did you mean 'TRAIN'"),
    'layer { phase: "TRAIN" }': (1, 16, 'no value "TRAIN"; hint: leave out the quotes: phase: TRAIN'),
    'layer { pooling_param { pool: "MAX" } }': (1, 31, "leave out the quotes: pool: MAX"),
    "layer { pooling_param { pool: AVG } }": (1, 31, "no value 'AVG'; hint: did you mean 'AVE'"),
    "layer { type: SOFTMAX }": (
        1,
        15,
        "'type' is a text in quotes; got 'SOFTMAX'; hint: write type: \"Softmax\"",
    ),
    "layer { type: SOFTMAX_LOSS }": (1, 15, 'write type: "SoftmaxWithLoss"'),
    "layer { type: relu }": (1, 15, 'write type: "ReLU"'),
    'layers { type: "CONVOLUTION" }': (1, 16, "leave out the quotes: type: CONVOLUTION"),
    "layers { type: Convolution }": (1, 16, 'in `layers` it is type: CONVOLUTION; in `layer`, type: "Convol'),
    "layers { type: Scale }": (1, 16, 'it goes in `layer`, as type: "Scale"'),
    "layers { type: PADDING }": (1, 16, "no value 'PADDING'; hint: neither Caffe 1.0 nor a fork known here"),
    "layer { convolution_param { kernel_size: 3, 5 } }": (1, 45, "a list is written kernel_size: [1, 2]"),
    "layer { input_param { shape { dim: 1, 3, 32, 32 } } }": (
        1,
        39,
        "'dim' takes one value here; got another one: '3' (line 1), '32' (line 1); hint: a list is written",
    ),
    "layer { type: “ReLU” }": (1, 15, "is a text in quotes; got '“ReLU”'; hint: write type: \"ReLU\""),
    "layer { }\n<<<<<<< HEAD\nlayer { }": (2, 1, "hint: Git left both sides of a merge here"),
    "layer { include { min_level: 1,2 } }": (1, 32, "'min_level' takes one value here; got another one: '2'"),
    'layer {\n name: "a"\n  param { lr_mult: 1\n}\n\nlayer {\n name: "b"\n}\n': (
        6,
        1,
        "the 'layer' of line 1 is still open where this 'layer' begins; hint: a closing brace is missing",
    ),
    'layer {}\nlayer {\n name: "a"\n param {\n lr_mult: 1\n}\n\n': (
        6,
        1,
        "the text ends inside the 'layer' of line 2; hint: a closing brace is missing",
    ),
    "layer { phase: 7 }": (1, 16, "no value with number 7"),
    "name: x": (1, 7, "'name' is a text in quotes; got 'x'; hint: write name: \"x\""),
    'name: "a" name: "b"': (1, 17, "NetParameter takes 'name' once"),
    "layer { relu_param {} relu_param {} }": (1, 34, "LayerParameter takes 'relu_param' once"),
    "layer { pooling_param { kernel_size: 2 kernel_size: 3 } }": (1, 53, "takes 'kernel_size' once"),
    "layer { convolution_param { num_output: 10.0 } }": (1, 41, "Couldn't parse integer: 10.0"),
    "layer { convolution_param { num_output: -1 } }": (1, 41, "out of range"),
    "force_backward: yes": (1, 17, "true"),
    "layer {": (1, 7, "the text ends inside the 'layer' of line 1"),
    "layer { } }": (1, 11, "a closing brace, and nothing is open; hint: remove it"),
    'name: "unterminated': (1, 7, "missing ending quote"),
    "name: 'two\nlines'": (1, 7, "missing ending quote"),
    "name: \"a' ": (1, 7, "missing ending quote"),
    "name: '\\x'": (1, 7, "truncated"),
    "layer { } ; ; layer { }": (1, 13, "Expected identifier"),
    "layer { convolution_param { kernel_size: [3, 5,] } }": (1, 48, "Couldn't parse integer"),
    "layer { convolution_param { pad: 4294967296 } }": (1, 34, "out of range"),
    "layer { convolution_param { pad: 08 } }": (1, 34, "Couldn't parse integer: 08"),
    "layer { convolution_param { pad: 0xg } }": (1, 34, "Couldn't parse integer: 0xg"),
    "layer { include { min_level: 2147483648 } }": (1, 30, "out of range"),
    "layer { blobs { shape { dim: 9223372036854775808 } } }": (1, 30, "out of range"),
    "layer { loss_weight: 1x }": (1, 22, "Couldn't parse float: 1x"),
    "layer { loss_weight: 0x10 }": (1, 22, "Couldn't parse float: 0x10"),
    "layer { phase: -1 }": (1, 16, "no value with number -1"),
    "layer { phase: train }": (1, 16, "Phase has no value 'train'; hint: did you mean 'TRAIN'"),
    "force_backward: 2": (1, 17, "true"),
    "force_backward: TRUE": (1, 17, "true"),
    "layer { name 'x' }": (1, 14, 'Expected ":"'),
    "[caffe.thing] { }": (1, 8, "does not have extensions"),
    "layer { >": (1, 9, "Expected"),
    "layer < }": (1, 9, "Expected"),
}


@pytest.mark.parametrize("source", REFUSED)
def test_refused_with_line_and_column(source):
    line, column, message = REFUSED[source]
    with pytest.raises(SchemaError) as caught:
        text.parse(source, NetParameter, "net.prototxt")
    assert str(caught.value).startswith(f"net.prototxt:{line}:{column}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


FORKED = """layer { name: "a" type: "NormaliseAll"
  norm_param { scale_filler { value: 20 } across_spatial: false }
}
layer { name: "b" type: "Shuffled" shuffled_param { order: 0 } }
layer { name: "c" type: "Pooling" pooling_param { ceil_mode: false torch: false pool: AVG } }
layer { name: "d" type: "Shuffled" shuffled_param < order: 0 > blob { } }
layer { name: "e" type: "Convoluton" convolution_param { kernel_sise: 3 weight_filler { typ: "x" } } }
layer { name: "f" type: "ROIAlign" bn_param { momentun: 1 } }
"""


def test_everything_that_a_file_has_and_the_schema_lacks_is_told_at_once():
    with pytest.raises(SchemaError) as caught:
        text.parse(FORKED, NetParameter, "ssd.prototxt")
    assert str(caught.value) == (
        "ssd.prototxt:1:25:"
        " no layer type 'NormaliseAll' (line 1), 'Shuffled' (lines 4, 6), 'Convoluton' (line 7),"
        " 'ROIAlign' (line 8);"
        " LayerParameter has no field 'shuffled_param' (lines 4, 6), 'blob' (line 6);"
        " PoolingParameter has no field 'torch' (line 5);"
        " PoolingParameter.PoolMethod has no value 'AVG' (line 5);"
        " ConvolutionParameter has no field 'kernel_sise' (line 7);"
        " FillerParameter has no field 'typ' (line 7);"
        " BNParameter has no field 'momentun' (line 8);"
        " hint: neither Caffe 1.0 nor a fork known here has such a layer: it is of another fork, or a layer"
        ' of your own (type: "Python");'
        " neither Caffe 1.0 nor any fork that is known here has such a field;"
        " AVG: did you mean 'AVE'?; blob: did you mean 'blobs'?; Convoluton: did you mean 'Convolution'?;"
        " kernel_sise: did you mean 'kernel_size'?; typ: did you mean 'type'?;"
        " ROIAlign: it is a layer of forks of Caffe (synopsys) that is not built in;"
        " momentun: did you mean 'momentum'?"
    )


def test_many_faults_make_a_short_line():
    with pytest.raises(SchemaError) as caught:
        text.parse("".join(f"layer {{ no{i % 50}: 1 }}\n" for i in range(5000)), NetParameter)
    assert "'no0' (lines 1, 51, 101, 151 and 16 more)" in str(caught.value)
    assert "and 38 more" in str(caught.value) and len(str(caught.value)) < 1200


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("net: 'a' base_lr: 1", NetParameter, "x: a solver, no net"),
        ("layer { } name: 'x'", SolverParameter, "x: a net, no solver"),
        ("item { name: 'a' id: 1 }", NetParameter, "x: a label map, neither a net nor a solver"),
        ("item { name: 'a' id: 1 }", SolverParameter, "x: a label map, neither a net nor a solver"),
        ("layer { } base_lr: 1", NetParameter, "1:11: NetParameter has no field 'base_lr'"),
        ("layer { } base_lr: 1", SolverParameter, "1:1: SolverParameter has no field 'layer'"),
        ("device_id: 0,1", SolverParameter, "'device_id' takes one value here.* a solver runs on one GPU"),
    ],
)
def test_files_of_another_kind(source, kind, message):
    with pytest.raises(SchemaError, match=message):
        text.parse(source, kind, "x")


@pytest.mark.parametrize(
    ("source", "meant"),
    [
        ("layer { name: 'a' ", True),  # cut short
        ("name: 'a'\n<<<<<<< HEAD\nlayer { }", True),
        ("name: x\nlayers:\n  - conv: 1\n", True),
        ("\ufeffinput: 'data'", True),
        ("", True),
        ("item { name: 'a' }", True),
        ("\ufeffnet: 'a.prototxt'", False),
        ("net: 'a.prototxt' stagelr: 0.1", False),
        ("net_param { layer { } }", False),
    ],
)
def test_what_a_text_is_meant_as_does_not_depend_on_its_faults(tmp_path, source, meant):
    (tmp_path / "x").write_text(source)
    assert text.is_net(tmp_path / "x") is meant


@pytest.mark.parametrize(
    "name",
    "norm_param permute_param interp_param mul_param flip_param swap_param crf_param bn_param relu6_param"
    " upsample_param lstm_param forward_type".split(),
)
def test_no_field_of_a_fork_is_taken_for_one_of_ours(name):
    caffes = [f.name for f in LayerParameter.DESCRIPTOR.fields if not is_forks(f.number)]
    assert not guesses.fields(name, caffes)


@pytest.mark.parametrize(
    ("message", "name", "guess"),
    [
        ("LayerParameter", "convolution_parm", ["convolution_param"]),
        ("LayerParameter", "nmae", ["name"]),
        ("PoolingParameter", "ceil_mod", ["ceil_mode"]),
        ("ConvolutionParameter", "num_outputs", ["num_output"]),
        ("ConvolutionParameter", "numOutput", ["num_output"]),
        ("SolverParameter", "max_iterations", ["max_iter"]),
        ("SolverParameter", "momentum3", []),
    ],
)
def test_guesses_of_fields(message, name, guess):
    assert guesses.fields(name, pool.FindMessageTypeByName(f"caffe.{message}").fields_by_name) == guess


@pytest.mark.parametrize(
    ("name", "guess"),
    [
        ("Convoluton", "Convolution"),
        ("relu", "ReLU"),
        ("SoftmaxLoss", "SoftmaxWithLoss"),
        ("INNER_PRODUCT", "InnerProduct"),
        ("conv", "Convolution"),
        *dict.fromkeys(
            "ReLU6 CReLU SELU Lstm Permute Normalize Interp Mul BN HardSwish Correlation Flip Convolution3D"
            " NdPooling SmoothL1Loss CenterLoss Reverse Axpy Pad Squeeze".split()
        ).items(),
    ],
)
def test_guesses_of_layer_types(name, guess):
    """Another layer in the place of a fork's would compute something else."""
    hint = guesses.layer_type(name)
    assert hint == f"did you mean {guess!r}?" if guess else "did you mean" not in hint


def test_a_long_run_of_backslashes():
    """Protobuf alone takes a minute for it."""
    name = "\\" * 100_000 + "x"
    begun = time.monotonic()
    assert text.parse(text.spell(NetParameter(name=name)), NetParameter).name == name
    with pytest.raises(SchemaError, match="1:7: 'unicodeescape' codec"):
        text.parse("name: '" + "\\" * 99_999 + "'", NetParameter)
    assert time.monotonic() - begun < 10


def test_required_field_is_named():
    with pytest.raises(SchemaError, match=r"x\.prototxt: layer\[0\]\.clip_param\.max must be set"):
        text.parse("layer { clip_param { min: 1 } }", NetParameter, "x.prototxt")


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*gone\.prototxt: No such file"):
        text.read(tmp_path / "gone.prototxt", NetParameter)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (bytes(range(256)), "a binary file, no prototxt"),
        (b"name: 'caf\xe9'", "1:7: the file is not UTF-8 text; hint: save it as UTF-8"),
        (b"layer { phase: '\xff' }", "1:16: the file is not UTF-8 text"),  # SystemError, in protobuf
        (b"layer { phase: \xff }", "1:16: the file is not UTF-8 text"),
        (rb"name: '\UFFFFFFFF'", "1:7: 'rawunicodeescape' codec can't decode"),
    ],
)
def test_bytes_that_are_no_text(data, message, tmp_path):
    path = tmp_path / "x.prototxt"
    path.write_bytes(data)
    with pytest.raises(SchemaError, match=rf"x\.prototxt:.*{message}"):
        text.read(path, NetParameter)


@pytest.mark.parametrize("data", [b"PK\3\4", "name: 'x'".encode("utf-16"), b"<!DOCTYPE html>"])
def test_files_that_are_no_prototxt(data, tmp_path):
    path = tmp_path / "x.prototxt"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"x\.prototxt: (a zip archive|UTF-16|a web page)"):
        text.read(path, NetParameter)


names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@given(names, st.lists(st.tuples(names, st.floats(width=32)), max_size=4))
def test_what_is_spelled_reads_back(name, layers):
    net = NetParameter(name=name)
    for layer_name, weight in layers:
        net.layer.add(name=layer_name, phase=TRAIN, loss_weight=[weight])
    assert text.spell(text.parse(text.spell(net), NetParameter)) == text.spell(net)


def test_layer_lines():
    source = """name: "net" # layer { name: "no" }
layer {
  name: "a" param { name: "w" }
}
layer: <
  name : 'b' >"""
    assert text.layer_lines(source) == {"a": 2, "b": 5}


def test_layer_starts_know_layers_without_a_name():
    source = 'layer { type: "layer" }\nname: "n"\n\nlayers { param { name: "w" } name: "b" }\nlayer {}'
    assert list(text.layer_starts(source)) == [("", 1), ("b", 4), ("", 5)]


@pytest.mark.parametrize(
    "field, line",
    [
        ("momentum", 3),
        ("keep_best.output", 5),
        ("keep_best", 4),
        ("net_param.layer.name", 7),
        ("output", None),
        ("gamma", None),
    ],
)
def test_the_line_of_a_field(field, line):
    source = (
        '# momentum: 1\nnet: "momentum: 2"\nmomentum : 0.9\nkeep_best {\n output: "a" } '
        'net_param <\nlayer { type: "gamma"\n'
    ).replace('"gamma"\n', '"gamma"\nname: "x" } >')
    assert text.field_line(source, field) == line


IN_FILE = """momentum: 0.9
layer { name: "a" }
layer { name: "it's" type: "(b)" }
"""


@pytest.mark.parametrize("name, kind, line", [("a", "", 2), ("it's", "(b)", 3), ("c", "", 0)])
def test_a_file_around_an_error_tells_the_line_of_the_layer(tmp_path, name, kind, line):
    path = tmp_path / "net.prototxt"
    path.write_text(IN_FILE)
    layer = LayerParameter(name=name, type=kind)
    with pytest.raises(ConfigError) as caught, text.in_file(str(path)), in_layer(layer, "parameter 0"):
        raise ConfigError("wrong")
    assert caught.value.places == [Place(file=str(path), line=line), Place.of(layer, "parameter 0")]


def test_a_file_around_an_error_tells_the_line_of_the_field_and_is_said_once(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(IN_FILE)
    with pytest.raises(ConfigError) as caught, text.in_file(str(path)), text.in_file(str(path), "momentum"):
        raise ConfigError("wrong")
    assert str(caught.value) == f"{path}:1: wrong"


def test_a_file_whose_name_begins_like_another_one(tmp_path):
    net, other = str(tmp_path / "net"), str(tmp_path / "net.list")
    with pytest.raises(ConfigError) as caught, text.in_file(net), locate(Place(file=other, line=3)):
        raise ConfigError("wrong")
    assert str(caught.value) == f"{net}: {other}:3: wrong"
