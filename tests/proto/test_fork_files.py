"""Binary nets of forks: every number that two forks share, told apart, and written back as it was."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicaffe.convert import formats
from minicaffe.proto import binary, fork_files, fork_schema, forks, text, wire
from minicaffe.proto.schema import LayerParameter, NetParameter, message_class, pool

from .test_forks import fill


def field(number: int, *content: int | bytes) -> bytes:
    """A field: a number, or a message of the fields given."""
    if content and isinstance(content[0], int):
        return wire.field(number, content[0])
    return wire.field(number, b"".join(content))


def float_field(number: int) -> bytes:
    return wire.varint(number << 3 | wire.FIXED32) + b"\0\0\x80\x3f"


def layer(kind: str, *parts: bytes) -> bytes:
    return field(100, field(1, b"a"), field(2, kind.encode()), *parts)


def v1_layer(kind: int, *parts: bytes) -> bytes:
    return field(2, field(4, b"a"), field(5, kind), *parts)


def net(*layers: bytes) -> bytes:
    return field(1, b"n") + b"".join(layers)


ROI = field(1, 7) + field(2, 7) + float_field(3)
CASES = {
    # of a layer: type, field, the name that it has, the fork
    "ssd 206": ("Normalize", field(206, field(1, 0)), "norm_param", "ssd"),
    "ssd 200": ("AnnotatedData", field(200, b""), "annotated_data_param", "ssd"),
    "ssd 201": ("MultiBoxLoss", field(201, field(4, 21)), "multibox_loss_param", "ssd"),
    "ssd 202": ("Permute", field(202, field(1, 0)), "permute_param", "ssd"),
    "ssd 203": ("PriorBox", field(203, float_field(1)), "prior_box_param", "ssd"),
    "ssd 204": ("DetectionOutput", field(204, field(1, 21)), "detection_output_param", "ssd"),
    "ssd 205": ("DetectionEvaluate", field(205, field(1, 21)), "detection_evaluate_param", "ssd"),
    "ssd 207": ("VideoData", field(207, field(2, 4)), "video_data_param", "ssd"),
    "happynear 204": ("ROIPooling", field(204, ROI), "roi_pooling_param", "happynear"),
    "happynear 202": ("Insanity", field(202, float_field(1)), "insanity_param", "happynear"),
    "happynear 214": ("Normalize", field(214, b""), "normalize_param", "happynear"),
    "caffe-lstm 201": ("Lstm", field(201, field(1, 8)), "lstm_param", "caffe-lstm"),
    "crnn 200": ("CtcLoss", field(200, field(1, 0)), "ctc_loss_param", "crnn"),
    "nvcaffe 145": ("ReLU", field(145, 2), "forward_type", "nvcaffe"),
    "nvcaffe 146": ("ReLU", field(146, 2), "backward_type", "nvcaffe"),
    "nvcaffe 147": ("ReLU", field(147, 1), "forward_math", "nvcaffe"),
    "nvcaffe 148": ("ReLU", field(148, 1), "backward_math", "nvcaffe"),
    "nvcaffe 151": ("LSTM", field(151, field(1, 8)), "recurrent_param", "nvcaffe"),
    "dsh 145": ("HashingLoss", field(145, float_field(1)), "hashing_loss_param", "dsh"),
    "caffe-face 147": ("CenterLoss", field(147, field(1, 10)), "center_loss_param", "caffe-face"),
    "sphereface 147": (
        "MarginInnerProduct",
        field(147, field(1, 9)),
        "margin_inner_product_param",
        "sphereface",
    ),
    "caffe_ocr 147": ("DenseBlock", field(147, field(1, 4)), "denseblock_param", "caffe_ocr"),
    "enet 147": ("Upsample", field(147, field(1, 2)), "upsample_param", "enet"),
    "segnet 137": ("Upsample", field(137, field(1, 2)), "upsample_param", "segnet"),
    "segnet 45": ("BN", field(45, field(1, field(1, b"constant"))), "bn_param", "segnet"),
    "segnet 138": ("DenseImageData", field(138, field(1, b"list")), "dense_image_data_param", "segnet"),
    "enet 46": ("DenseImageData", field(46, field(1, b"list")), "dense_image_data_param", "enet"),
    "pspnet 143": ("Interp", field(143, field(1, 65), field(2, 65)), "interp_param", "pspnet"),
    "pspnet 144": ("SegAccuracy", field(144, b""), "seg_accuracy_param", "pspnet"),
    "pspnet 152": ("BN", field(152, float_field(3)), "bn_param", "pspnet"),
    "yjxiong 137": ("BN", field(137, float_field(3)), "bn_param", "yjxiong"),
    "yjxiong 140": ("VideoData", field(140, field(1, b"list")), "video_data_param", "yjxiong"),
    "microsoft 147": ("ROIPooling", field(147, ROI), "roi_pooling_param", "microsoft"),
    "microsoft 149": ("PSROIPooling", field(149, float_field(1)), "psroi_pooling_param", "microsoft"),
    "mobilenet-yolo 149": ("Reorg", field(149, field(1, 2)), "reorg_param", "mobilenet-yolo"),
    "intel 159": ("Reorg", field(159, field(1, 2)), "reorg_param", "intel"),
    "caffe_ocr 160": ("Reverse", field(160, field(1, 0)), "reverse_param", "caffe_ocr"),
    "faster-rcnn 8266711": ("ROIPooling", field(8266711, ROI), "roi_pooling_param", "faster-rcnn"),
    "caffe_ocr 8266711": ("Lstm", field(8266711, field(1, 8)), "lstm_param", "caffe_ocr"),
    "faster-rcnn 8266712": (
        "SmoothL1Loss",
        field(8266712, float_field(1)),
        "smooth_l1_loss_param",
        "faster-rcnn",
    ),
    "pvanet 8266713": ("Proposal", field(8266713, field(1, 16)), "proposal_param", "pvanet"),
    "rfcn 10001": ("PSROIPooling", field(10001, float_field(1)), "psroi_pooling_param", "rfcn"),
    "synopsys 241": ("Squeeze", field(241, field(1, 1)), "squeeze_param", "synopsys"),
    "happynear 241": (
        "LabelSpecificAdd",
        field(241, float_field(1)),
        "label_specific_add_param",
        "happynear",
    ),
    "synopsys 248": ("Clip", field(248, float_field(1), float_field(2)), "clip_param", "synopsys"),
}


@pytest.mark.parametrize("case", CASES)
def test_numbers_that_forks_share(case, caplog):
    caplog.set_level(logging.INFO, "minicaffe")
    kind, part, name, fork = CASES[case]
    data = net(layer("Convolution", field(106, field(1, 3))), layer(kind, part))
    got = binary.parse(data, NetParameter, "x.caffemodel")
    assert [each.name for each, _ in got.layer[1].ListFields()] == ["name", "type", name]
    assert caplog.messages == [f"x.caffemodel: its fields are numbered as those of the fork {fork}"]
    assert binary.to_bytes(got) == data
    copy = NetParameter()
    copy.CopyFrom(got)
    copy.layer[0].name = "b"
    assert binary.to_bytes(copy) == data.replace(field(1, b"a"), field(1, b"b"), 1)


@pytest.mark.parametrize(
    ("kind", "part", "name"),
    [
        ("Embed", field(137, field(1, 3)), "embed_param"),
        ("Tile", field(138, field(2, 3)), "tile_param"),
        ("ELU", field(140, float_field(1)), "elu_param"),
        ("Bias", field(141, field(1, 1)), "bias_param"),
        ("Input", field(143, field(1, b"")), "input_param"),
        ("Crop", field(144, field(1, 2)), "crop_param"),
        ("Parameter", field(145, field(1, b"")), "parameter_param"),
        ("RNN", field(146, field(1, 3)), "recurrent_param"),
        ("Swish", field(147, float_field(1)), "swish_param"),
        ("Clip", field(148, float_field(1), float_field(2)), "clip_param"),
        ("Scale", field(142, field(4, 1)), "scale_param"),
    ],
)
def test_caffes_own(kind, part, name, caplog):
    caplog.set_level(logging.INFO, "minicaffe")
    data = net(layer(kind, part))
    assert fork_files.to_ours(data) == (data, "")
    got = binary.parse(data, NetParameter)
    assert got.layer[0].HasField(name) and not caplog.messages
    assert binary.to_bytes(got) == data


def test_values_of_enums():
    """R-FCN's PRE_FIXED has the number of Caffe's NONE, which moves to 4."""
    ohem = layer("BoxAnnotatorOHEM", field(10000, field(1, 128)))
    for theirs, name in ((3, "PRE_FIXED"), (4, "NONE"), (1, "VALID")):
        data = net(layer("SoftmaxWithLossOHEM", field(101, field(3, theirs))), ohem)
        got = binary.parse(data, NetParameter)
        modes = message_class("LossParameter").DESCRIPTOR.enum_types_by_name["NormalizationMode"]
        assert modes.values_by_number[got.layer[0].loss_param.normalization].name == name
        assert binary.to_bytes(got) == data
    caffes = binary.parse(net(layer("SoftmaxWithLoss", field(101, field(3, 3)))), NetParameter)
    assert modes.values_by_number[caffes.layer[0].loss_param.normalization].name == "NONE"


@pytest.mark.parametrize(
    ("part", "fork", "name"),
    [
        (field(14, 0) + field(18, 1), "synopsys", "ceil_mode"),
        (field(14, 0), "intel", ""),  # intel's axis or synopsys' ceil_mode: it stays unknown
        (field(13, 0), "", "round_mode"),
        (field(40, 1), "nvcaffe", ""),
    ],
)
def test_fields_inside_caffes_messages(part, fork, name):
    data = net(layer("Pooling", field(121, field(1, 1), part)))
    got, decided = fork_files.to_ours(data)
    conf = NetParameter.FromString(got).layer[0].pooling_param
    assert decided == fork
    assert {each.name for each, _ in conf.ListFields()} == {"pool", *([name] if name else [])} | (
        {"pad_t"} if fork == "synopsys" else {"torch_pooling"} if fork == "nvcaffe" else set()
    )
    assert binary.to_bytes(binary.parse(data, NetParameter)) == data


def test_one_vote_each_for_all_layers():
    """Permute can be of many forks; the other layer decides."""
    shared = layer("Permute", field(202, field(1, 0)))
    assert fork_files.to_ours(net(shared, layer("CtcLoss", field(200, field(3, 5)))))[1] == "crnn"
    assert fork_files.to_ours(net(shared, layer("ReLU", field(145, 1))))[1] == "nvcaffe"
    assert fork_files.to_ours(net(shared, layer("EvalDetection", field(301, field(1, 7)))))[1] == "intel"


@pytest.mark.parametrize(
    "part",
    [
        field(147, b"\xff\xff"),  # no message
        field(147, field(99, 1)),  # of nobody's
        field(8266999, b"abc"),
        float_field(145),
        field(206, field(77, 1)),
    ],
)
def test_what_cannot_be_decided_stays_byte_for_byte(part):
    data = net(layer("Mystery", part))
    got = binary.parse(data, NetParameter)
    assert [each.name for each, _ in got.layer[0].ListFields()] == ["name", "type"]
    assert binary.to_bytes(got) == data


@pytest.mark.parametrize(
    ("kind", "part", "type_name", "name"),
    [
        (42, field(44, field(1, 0)), "UNPOOLING", "unpooling_param"),
        (43, field(45, field(1, field(1, b"constant"))), "BN", "bn_param"),
        (46, field(48, ROI), "ROIPOOLING", "roi_pooling_param"),
        (61, field(61, b""), "RELU6", "relu6_param"),
    ],
)
def test_v1(kind, part, type_name, name):
    data = net(v1_layer(kind, part))
    got = binary.parse(data, NetParameter)
    types = message_class("V1LayerParameter").DESCRIPTOR.enum_types_by_name["LayerType"]
    assert types.values_by_number[got.layers[0].type].name == type_name
    assert got.layers[0].HasField(name)
    assert binary.to_bytes(got) == data


def test_contested_numbers_are_all_that_forks_use():
    for number, message in fork_schema.LAYERS.items():
        theirs = {n for e in forks.table() if e.owner == message.name for n in e.numbers.values()}
        caffes = {f.number for f in message.fields if f.number < extensions_begin()}
        wanted = {n for n in theirs & caffes if n != message.fields_by_name["type"].number}
        assert fork_files.CONTESTED[number] == wanted


def test_counts_are_those_of_the_table():
    found = {}
    for name, message in pool.FindFileByName("caffe.proto").message_types_by_name.items():
        for schema in map(fork_schema.of, () if name == "SolverParameter" else fork_schema.names()):
            for number, meaning in schema.meanings(message).items():
                field = message.fields_by_number.get(number)
                if field is not None and field.type == field.TYPE_BOOL != meaning.field.type:
                    found.setdefault(message.full_name, set()).add(number)
    assert found == fork_files.COUNTS


@pytest.mark.parametrize(
    ("fork", "parts"),
    [
        (
            "enet",
            (101, field(3, 1), field(5, 1)),
        ),  # weights and normalization there: forks contradict each other
        ("yjxiong", (106, field(1, 8), field(17, 90))),  # dilation_h, in Caffe a bool
    ],
)
def test_what_protobuf_would_change_is_written_back(fork, parts):
    data = net(layer("Convolution", field(*parts)))
    assert fork_files.to_ours(data)[1] == fork
    assert binary.to_bytes(binary.parse(data, NetParameter)) == data


def extensions_begin() -> int:
    return fork_schema.FIRST


@pytest.mark.parametrize("fork", fork_schema.names())
def test_every_number_of_a_fork_is_read_and_written(fork):
    """Of LayerParameter: each field alone, empty, with the type that it belongs to where that is known."""
    schema = fork_schema.of(fork)
    for number, meaning in schema.meanings(LayerParameter.DESCRIPTOR).items():
        kind = meaning.field.name
        value = {wire.VARINT: b"\0", wire.LENGTH: b"\0", wire.FIXED32: b"\0\0\0\0"}[meaning.kind]
        part = wire.varint(number << 3 | meaning.kind) + value
        data = field(100, field(2, kind.encode()), part)
        if kind not in ("name", "type", "clip_param"):  # beside the type; of required fields
            assert binary.to_bytes(binary.parse(data, NetParameter)) == data, kind


def test_every_number_goes_there_and_back():
    for name in {entry.owner.split(".")[0] for entry in forks.table()} - {"Type", "Packing"}:
        for full in (f"caffe.{name}", f"caffe.Forks.{name}"):
            try:
                message = pool.FindMessageTypeByName(full)
            except KeyError:
                continue
            for fork in fork_schema.names():
                meanings = fork_schema.of(fork).meanings(message)
                back = fork_schema.of(fork).numbers(message)
                assert {back[m.field.number]: m.field.name for m in meanings.values()} == {
                    number: m.field.name for number, m in meanings.items()
                }, f"{full} of {fork}"


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from(fork_schema.names()))
def test_whatever_a_net_of_a_fork_says_is_written_back(random, fork):
    """Nets of any content in a fork's numbers: what is read and written again is the same file."""
    made = NetParameter(name="n")
    for _ in range(3):
        fill(made.layer.add(), random, 2, fork_schema.of(fork))
    theirs = fork_files.to_theirs(made.SerializeToString(), fork)
    try:
        got = binary.parse(theirs, NetParameter)
    except Exception as error:  # fields of other forks, which this one would not have written
        assert "UTF-8" in str(error) or "whole" in str(error)
        return
    again = binary.to_bytes(got)
    assert sorted(again) == sorted(theirs)
    assert binary.to_bytes(binary.parse(again, NetParameter)) == again


@given(st.binary(max_size=40))
def test_bytes_that_are_no_net(data):
    ours, _ = fork_files.to_ours(data)
    assert isinstance(ours, bytes)


def test_converted_to_weights_it_is_the_same_file(tmp_path):
    blob = binary.from_array(np.ones((2, 3), np.float32)).SerializeToString()
    data = net(
        layer("InnerProduct", field(7, blob), field(117, field(1, 2))),
        layer("Normalize", field(206, field(1, 0), float_field(4))),
        layer("Permute", field(202, field(1, 0), field(1, 2))),
    )
    path = tmp_path / "ssd.caffemodel"
    path.write_bytes(data)
    message = formats.read(path)
    assert formats.write(message, tmp_path / "copy.caffemodel") == data
    assert "norm_param" in text.spell(message) and "53000" not in text.spell(message)
