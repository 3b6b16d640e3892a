"""Whatever a file holds, reading it and building its net ends in a net or in a MiniCaffeError, soon."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from minicaffe import Net
from minicaffe.errors import ConfigError, DataError, DeviceError, MiniCaffeError, SchemaError, ShapeError
from minicaffe.proto import binary, text, upgrade
from minicaffe.proto.schema import NetParameter

from .support import fuzzing

ROOT = Path(__file__).parent.parent
INPUT = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }'


def build(source: str) -> Net:
    return Net(text.parse(source, NetParameter), device=fuzzing.SmallDevice(), seed=1)


@pytest.fixture(autouse=True)
def soon():
    """Every case here is done in seconds, also on a busy machine."""
    begun = time.monotonic()
    yield
    if time.monotonic() - begun > 60:
        pytest.fail(f"took {time.monotonic() - begun:.0f} s")


# -- text


def garbage(size: int) -> str:
    rng = random.Random(0)
    return "".join(rng.choices([chr(c) for c in range(32, 127)], k=size))


GARBAGE = {
    "braces": lambda: "{" * 100_000,
    "nested layers": lambda: "layer {" * 100_000,
    "nested angles": lambda: "layers <" * 100_000,
    "brackets": lambda: "[" * 100_000,
    "nested lists": lambda: "layer { loss_weight: " + "[" * 100_000,
    "nested known messages": lambda: "layer { param { " * 50_000,
    "noise": lambda: garbage(10_000_000),
    "one long name": lambda: "a" * 10_000_000,
    "one long string": lambda: 'name: "' + "a" * 10_000_000,
    "one long number": lambda: "input_dim: " + "9" * 1_000_000,
    "one long float": lambda: "layer { loss_weight: " + "9" * 1_000_000,
    "backslashes": lambda: 'name: "' + "\\" * 1_000_001,
    "NUL": lambda: "\0" * 10_000_000,
    "quotes": lambda: "name: " + "''" * 1_000_000 + "'",
    "any of Unicode": lambda: "".join(map(chr, range(0xD800))),
    "line ends": lambda: "\n\r" * 5_000_000 + "}",
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_is_refused_in_one_short_line(kind):
    with pytest.raises(SchemaError) as caught:
        text.parse(GARBAGE[kind](), NetParameter, "x.prototxt")
    assert str(caught.value).startswith("x.prototxt:")
    assert len(str(caught.value)) < 1000 and str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (bytes(range(256)) * 40_000, r"x\.prototxt:"),
        (b"name: '\\377'", "1:13: Couldn't parse string"),
        (b'\nname: "x', "2:7: String missing ending quote"),
    ],
)
def test_bytes_that_are_no_text(data, message, tmp_path):
    path = tmp_path / "x.prototxt"
    path.write_bytes(data)
    with pytest.raises(SchemaError, match=message):
        text.read(path, NetParameter)


def test_bytes_that_are_no_utf8_may_stand_in_comments(tmp_path):
    path = tmp_path / "x.prototxt"
    path.write_bytes(b"# caf\xe9\nname: 'x'")
    assert text.read(path, NetParameter).name == "x"


@pytest.mark.parametrize("name", ["a\0b", "x" * 300, "x" * 10_000, ".", "", "/", "/dev/zero", "/dev/null"])
def test_paths_that_cannot_be_read(name):
    with pytest.raises(DataError, match="cannot read"):
        Net(name)


def test_an_error_in_a_long_file_is_found_soon(tmp_path):
    path = tmp_path / "x.prototxt"
    layers = (f'layer {{ name: "{i}" type: "Power" bottom: "x" top: "{i}" }}\n' for i in range(20_000))
    path.write_text(INPUT + "\n" + "".join(layers) + 'layer { name: "last" type: "Power" bottom: "y" }')
    with pytest.raises(
        ConfigError, match=r"x\.prototxt:20002: layer 'last' \(Power\): bottom 0 'y' is no top"
    ):
        Net(path)


# -- binary


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff" * 1000, "not a whole binary NetParameter"),
        (b"\x0b" * 100_000, "not a whole"),  # groups in groups
        (b"\x0a\xff\xff\xff\xff\x07", "not a whole"),  # a string of 2 GiB
        (b"\x0a\x02\xff\xfe", r"name is not UTF-8: b'\\xff\\xfe'; hint: the file is damaged"),
        (b"\xa2\x06\x04\x0a\x02\xff\xfe", r"layer\[0\]\.name is not UTF-8"),
        (b"\xa2\x06\x04\x1a\x02\xff\xfe", r"layer\[0\]\.bottom\[0\] is not UTF-8"),
    ],
)
def test_binary_garbage(data, message):
    with pytest.raises(SchemaError, match=f"x: {message}"):
        binary.parse(data, NetParameter, "x")


def test_a_hundred_thousand_empty_layers():
    net = binary.parse(b"\xa2\x06\x00" * 100_000, NetParameter)
    with pytest.raises(MiniCaffeError, match=r"layer '' .*no layer type ''"):
        Net(net)


# -- nets of ordinary text


def layer(fields: str) -> str:
    return f'{INPUT} layer {{ name: "l" bottom: "x" top: "y" {fields} }}'


REFUSED = {
    "an unknown type": (layer('type: "Nothing"'), "layer 'l' .*Nothing"),
    "a cycle": (
        INPUT + 'layer { type: "Power" bottom: "b" top: "a" } layer { type: "Power" bottom: "a" top: "b" }',
        "bottom 0 'b' is no top of an earlier layer; hint: layer '' produces it",
    ),
    "its own bottom": (INPUT + 'layer { type: "Power" bottom: "y" top: "y" }', "bottom 0 'y' is no top"),
    "two of a name": (INPUT * 2, "top 0 'x' is already produced"),
    "two tops of a name": (
        INPUT.replace('top: "x"', 'top: "x" top: "x"').replace("dim: 3 }", "dim: 3 } shape { }"),
        "top 1 'x' is already produced",
    ),
    "a negative axis": (INPUT.replace("dim: 3", "dim: -3"), r"shape \(2, -3\): an axis is negative"),
    "the longest axis": (
        INPUT.replace("dim: 3", "dim: 9223372036854775807"),
        r"layer 'in' \(Input\): blob 'x' cannot have the shape .*: 18446744073709551614 elements are more",
    ),
    "a long axis of nothing": (INPUT.replace("dim: 2 dim: 3", "dim: 0 dim: 4294967296"), "elements are more"),
    "40 axes": (INPUT.replace("dim: 3", "dim: 1 " * 40), "blob 'x' cannot have 41 axes; 32 is the most"),
    "a million axes": (INPUT.replace("dim: 3", f"dim: [{'1,' * 999_999} 1]"), "cannot have 1000001 axes"),
    "a large blob": (
        INPUT.replace("dim: 3", "dim: 100000000"),
        r"the net needs \d+ bytes of memory; device 'cpu' has 67108864; the most, 800000000 bytes, goes to"
        r" the data of blob 'x' of shape \(2, 100000000\); hint",
    ),
    "a large parameter": (
        layer('type: "InnerProduct" inner_product_param { num_output: 100000000 }'),
        r"1200000000 bytes, goes to parameter 'l\.0' of shape \(100000000, 3\)",
    ),
    "a larger parameter": (
        layer('type: "InnerProduct" inner_product_param { num_output: 4294967295 }'),
        r"layer 'l' \(InnerProduct\): blob 'l\.0' cannot have the shape \(4294967295, 3\)",
    ),
    "many axes to slice": (layer('type: "Slice" ' + "slice_param { slice_point: [1] }"), "layer 'l'"),
    "a hundred thousand strides": (
        layer(f'type: "Convolution" convolution_param {{ num_output: 1 kernel_size: [{"1," * 99_999} 1] }}'),
        "layer 'l' .*kernel_size",
    ),
    "numbers no filler can draw": (
        layer(
            'type: "InnerProduct" inner_product_param { num_output: 1 '
            'weight_filler { type: "uniform" min: -inf max: inf } }'
        ),
        "uniform filler: numbers from -inf to inf cannot be drawn",
    ),
    "a power beyond floats": (layer('type: "Exp" exp_param { base: 10 shift: 39 }'), "base .* too large"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused(kind):
    source, message = REFUSED[kind]
    with pytest.raises(MiniCaffeError, match=message):
        build(source)


def test_nothing_is_allocated_before_a_refusal(monkeypatch):
    largest = 0

    class Watched(fuzzing.SmallDevice):
        def empty(self, shape, dtype=None):
            nonlocal largest
            largest = max(largest, int(np.prod(shape)))
            return super().empty(shape, dtype)

    for kind in ("a large blob", "a large parameter"):
        with pytest.raises(DeviceError):
            Net(text.parse(REFUSED[kind][0], NetParameter), device=Watched())
    assert largest < 100


def test_a_batch_beyond_the_memory_is_refused_and_the_net_still_runs():
    net = build(layer('type: "Power"'))
    with pytest.raises(ShapeError, match="2147483648 elements"):
        net.blobs["x"].reshape(1 << 16, 1 << 15)
    with pytest.raises(DeviceError, match="the net needs"):
        net.forward(x=np.broadcast_to(np.float32(0), (1 << 20, 100)))
    assert (net.forward(x=np.ones((4, 3)))["y"] == 1).all()


ACCEPTED = {
    "any of Unicode": layer('type: "Power"').replace('"x"', '"x\u00df\u4e2d\U0001f600\u202e"'),
    "NUL": layer('type: "Power"').replace('"y"', '"\\000\0"'),
    "empty names": layer('type: "Power"').replace('"y"', '""').replace('"l"', '""'),
    "equal layer names": layer('type: "Power"') + 'layer { name: "l" type: "Power" bottom: "y" top: "z" }',
    "quotes and braces": layer('type: "Power"').replace('"y"', "'\"}{#'"),
    "an empty batch": layer('type: "Power"').replace("dim: 2", "dim: 0"),
    "nothing": "",
}


@pytest.mark.parametrize("kind", ACCEPTED)
def test_strange_but_right(kind):
    net = build(ACCEPTED[kind])
    assert len(net.forward()) == len(net.outputs)


# -- long nets

LONG = {
    "a chain": lambda i: f'type: "Power" bottom: "{i}" top: "{i + 1}"',
    "a chain of views": lambda i: f'type: "Flatten" bottom: "{i}" top: "{i + 1}"',
    "in place": lambda i: 'type: "ReLU" bottom: "0" top: "0"',
    "learnable": lambda i: f'type: "Bias" bottom: "{i}" top: "{i + 1}"',
    "a fan": lambda i: f'type: "Power" bottom: "0" top: "{i + 1}"',
    "losses": lambda i: f'type: "EuclideanLoss" bottom: "0" bottom: "0" top: "{i + 1}"',
    "random": lambda i: f'type: "Dropout" bottom: "{i}" top: "{i + 1}"',
}


def long_net(kind: str, count: int) -> NetParameter:
    net = text.parse(INPUT.replace('"x"', '"0"'), NetParameter)
    for i in range(count):
        net.layer.add().CopyFrom(
            text.parse(f'layer {{ name: "l{i}" {LONG[kind](i)} }}', NetParameter).layer[0]
        )
    if kind == "learnable":
        net.layer.add(name="loss", type="EuclideanLoss", bottom=[str(count), "0"], top=["loss"])
    return net


@pytest.mark.parametrize("keep", ["all", "needed"])
@pytest.mark.parametrize("kind", LONG)
def test_long_nets_build_in_time_that_grows_with_their_length(kind, keep):
    """A step that looked at every pair of layers would take minutes here."""
    net = Net(long_net(kind, 5_000), phase="TRAIN", seed=1, keep=keep)
    assert len(net.layers) >= 5_000


@pytest.mark.slow
@pytest.mark.parametrize("kind", LONG)
def test_a_hundred_thousand_layers(kind):
    source = text.spell(long_net(kind, 100_000))
    begun = time.monotonic()
    net = Net(text.parse(source, NetParameter), phase="TRAIN", seed=1, keep="needed")
    assert len(net.layers) >= 100_000 and time.monotonic() - begun < 60


def test_long_old_nets_are_upgraded_soon():
    old = text.parse(
        'input: "0" input_dim: [1, 1, 1, 1]'
        + "".join(
            f'layers {{ bottom: "{i}" top: "{i + 1}" layer {{ name: "l" type: "relu" }} }}'
            for i in range(10_000)
        ),
        NetParameter,
    )
    upgrade.upgrade_net(old)
    assert len(old.layer) == 10_001


# -- mutations


def fuzz(first: int, count: int) -> None:
    """Build mutants in a process of its own, whose memory is limited."""
    command = [sys.executable, "-m", "tests.support.fuzzing", str(first), str(count)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stderr[-5000:]


def test_mutated_nets():
    fuzz(0, 600)


@pytest.mark.slow
def test_many_mutated_nets():
    fuzz(1_000, 50_000)


def test_the_same_seed_gives_the_same_mutant():
    assert fuzzing.mutant(7) == fuzzing.mutant(7) != fuzzing.mutant(8)


def test_a_planted_fault_is_seen(capsys):
    """A build that raises anything but a MiniCaffeError counts as failed, and its seed is named."""
    assert fuzzing.run(3, 2, lambda data: {}["x"]) == 2
    assert "seed 4: KeyError: 'x'" in capsys.readouterr().err
