"""Prototxt is read as Caffe reads it, and errors say where and what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import DataError, SchemaError
from minicaffe.proto import text
from minicaffe.proto.schema import TRAIN, NetParameter

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
    "": "",
}


@pytest.mark.parametrize("source", ACCEPTED)
def test_accepted(source):
    got = text.spell(text.parse(source, NetParameter))
    assert got == text.spell(text.parse(ACCEPTED[source], NetParameter))


REFUSED = {
    "// comment": (1, 1, "Expected identifier"),
    'name: "x"\nlayer {\n  nmae: "y"\n}': (
        3,
        3,
        "no field 'nmae'; hint: did you mean 'name'",
    ),
    "layer { phase: TRIAN }": (1, 16, "Phase has no value 'TRIAN'; hint: did you mean 'TRAIN'"),
    'layer { phase: "TRAIN" }': (1, 16, "Phase has no value 'TRAIN'"),
    "layer { phase: 7 }": (1, 16, "no value with number 7"),
    "name: x": (1, 7, "Expected string"),
    'name: "a" name: "b"': (1, 17, "NetParameter takes 'name' once"),
    "layer { relu_param {} relu_param {} }": (1, 34, "LayerParameter takes 'relu_param' once"),
    "layer { pooling_param { kernel_size: 2 kernel_size: 3 } }": (1, 53, "takes 'kernel_size' once"),
    "layer { convolution_param { num_output: 10.0 } }": (1, 41, "Couldn't parse integer: 10.0"),
    "layer { convolution_param { num_output: -1 } }": (1, 41, "out of range"),
    "force_backward: yes": (1, 17, "true"),
    "layer {": (1, 7, "Expected"),
    "layer { } }": (1, 11, "Expected"),
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
    '\ufeffname: "x"': (1, 1, "byte order mark"),
}


@pytest.mark.parametrize("source", REFUSED)
def test_refused_with_line_and_column(source):
    line, column, message = REFUSED[source]
    with pytest.raises(SchemaError) as caught:
        text.parse(source, NetParameter, "net.prototxt")
    assert str(caught.value).startswith(f"net.prototxt:{line}:{column}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_required_field_is_named():
    with pytest.raises(SchemaError, match=r"x\.prototxt: layer\[0\]\.clip_param\.max must be set"):
        text.parse("layer { clip_param { min: 1 } }", NetParameter, "x.prototxt")


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*gone\.prototxt: No such file"):
        text.read(tmp_path / "gone.prototxt", NetParameter)


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "binary.prototxt"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(SchemaError, match=r"binary\.prototxt:"):
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
