"""Palette and forms: every type, every field that may be set, and what is said about both."""

from __future__ import annotations

import json

import pytest

from minicaffe.layers import LAYERS
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import LayerParameter, NetParameter, SolverParameter
from minicaffe.studio.palette import STARTS, notes, palette, text_of


def test_every_type_and_every_message_is_there():
    found = palette()
    assert list(found["types"]) == list(LAYERS)
    fields = LayerParameter.DESCRIPTOR.fields_by_name
    for name, said in found["types"].items():
        assert said["summary"] and said["group"], name
        for field, message in said["params"].items():
            assert fields[field].message_type.name == message and found["messages"][message]
        for path in said["reads"]:  # a field that a fork added and the type reads can be set in the form
            field, inner, *_ = [*path.split("."), ""]
            if field in said["params"] and inner and ": " not in inner:
                assert inner in [each["name"] for each in found["messages"][said["params"][field]]], path
    assert {each["name"] for each in found["messages"]["SolverParameter"]} == set(
        SolverParameter.DESCRIPTOR.fields_by_name
    )


def test_fields_as_the_schema_has_them():
    messages = palette()["messages"]
    fields = {field["name"]: field for field in messages["ConvolutionParameter"]}
    assert fields["bias_term"]["kind"] == "bool" and fields["bias_term"]["default"] is True
    assert fields["kernel_size"]["repeated"] and fields["weight_filler"]["message"] == "FillerParameter"
    pool = next(field for field in messages["PoolingParameter"] if field["name"] == "pool")
    assert pool["default"] == "MAX" and {"MAX", "AVE", "STOCHASTIC"} <= set(pool["values"])
    for message in messages.values():
        for field in message:
            assert (
                "message" not in field
                or field["message"] in messages
                or field["message"] in ("NetParameter", "BlobProto")
            )


def test_comments_of_the_schema_are_notes():
    assert notes()["SolverParameter.lr_policy"].startswith("fixed step exp")
    assert "WatchParameter.goal" in notes() and not any("//" in note for note in notes().values())


def test_it_is_plain_data_of_bounded_size():
    assert len(json.dumps(palette())) < 200_000


@pytest.mark.parametrize("name", STARTS)
def test_what_a_layer_begins_with_can_be_built(name):
    """Dropped behind an image, it is a layer."""
    said = palette()["types"][name]
    shape = "dim: 2" if name in ("LSTM", "RNN", "Embed") else "dim: 2 dim: 4 dim: 8 dim: 8"
    reads = ['"x"'] + ['"c"'] * (name in ("LSTM", "RNN"))
    if name in ("LSTM", "RNN"):
        shape = "dim: 3 dim: 2 dim: 4"
    source = f'layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ {shape} }} }} }}'
    source += 'layer { name: "c" type: "Input" top: "c" input_param { shape { dim: 3 dim: 2 } } }'
    bottoms = "" if said["source"] else " ".join(f"bottom: {each}" for each in reads)
    tops = 'top: "y"' + (' top: "z"' if name in ("Slice", "Data") else "")
    param = text.parse(
        f'{source} layer {{ name: "y" type: "{name}" {bottoms} {tops} {said["start"]} }}', NetParameter
    )
    net = Net(param, phase="TRAIN", seed=1, allocate=False)
    assert net.blobs["y"].shape


def test_text_of_a_type():
    assert "cross-correlation" in text_of("Convolution")
    with pytest.raises(KeyError, match="did you mean 'Convolution'"):
        text_of("Convolutoin")
