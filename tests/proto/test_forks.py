"""The schema holds every message, field and value of the forks, each under its own name and number."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.proto import extensions, forks, text
from minicaffe.proto.schema import LayerParameter, NetParameter, message_class, pool

from .test_schema import default_of, type_of

TABLE = Path(__file__).parent.parent / "golden" / "schema_forks.tsv"
APART = {"BlobProto", "Datum", "SolverState"}  # binary.py reads what NVIDIA Caffe adds to them
UNITED = {"CtcLossParameter": "CTCLossParameter", "ReLU6Parameter": "ReLUParameter"}  # by text they are one


def rows() -> list[dict[str, str]]:
    with open(TABLE, newline="") as file:
        found = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [row for row in found if row["message"].split(".")[0] not in APART]


ROWS = rows()
CAFFES = set(pool.FindFileByName("caffe.proto").message_types_by_name)


def home(name: str) -> str:
    """The name of a message or enum of a fork, in our schema."""
    outer, _, inner = name.partition(".")
    outer = UNITED.get(outer, outer)
    ours = outer if outer in CAFFES and outer not in TAKEN else f"Forks.{outer}"
    return f"{ours}.{inner}" if inner else ours


TAKEN = {"AugmentationParameter", "NoiseParameter", "ResizeParameter"}  # names of messages of our own


def by_field() -> dict[tuple[str, str], list[dict[str, str]]]:
    found = defaultdict(list)
    for row in ROWS:
        found[row["message"], row["name"]].append(row)
    return found


def test_every_field_and_value_is_there():
    for (message, name), variants in by_field().items():
        if variants[0]["label"] == "enum-value":
            enum = pool.FindEnumTypeByName(f"caffe.{home(message)}")
            assert name in enum.values_by_name, f"{message}.{name}"
            continue
        field = pool.FindMessageTypeByName(f"caffe.{home(message)}").fields_by_name[name]
        types = {row["type"] for row in variants}
        for apart, united in UNITED.items():
            types = {kind.replace(apart, united) for kind in types}
        ours = type_of(field).replace("Forks.", "")
        assert types == {ours} or (types == {"uint32", "int32"} and ours == "int32"), f"{message}.{name}"
        if forks.is_forks(field.number) or message not in CAFFES:
            assert field.is_repeated == any(row["label"] == "repeated" for row in variants)
            defaults = {row["default"] for row in variants}
            default = default_of(field)
            if len(defaults) > 1 or field.is_repeated:
                assert default is None, f"{message}.{name}"
            elif isinstance(default, float):
                assert default == pytest.approx(float(defaults.pop()), rel=1e-6)
            else:
                assert str(default or "") == defaults.pop() or default in (0, 0.0), f"{message}.{name}"


def test_every_number_of_every_fork():
    numbers = {(entry.owner, entry.name): entry for entry in forks.table()}
    for row in ROWS:
        message = row["message"]
        outer, dot, inner = message.partition(".")
        entry = numbers.get((UNITED.get(outer, outer) + dot + inner, row["name"]))
        for fork in row["fork"].split(","):
            place = f"{message}.{row['name']} of {fork}"
            if entry is not None and fork in entry.numbers:
                assert entry.numbers[fork] == int(row["number"]), place
            elif outer not in ("SolverParameter", "ReLU6Parameter"):  # the first is only in text
                descriptor = pool.FindMessageTypeByName(f"caffe.{outer}")
                enum = descriptor.enum_types_by_name[inner] if inner else None
                known = enum.values_by_name if enum else descriptor.fields_by_name
                assert known[row["name"]].number == int(row["number"]), place


def test_what_forks_add_to_messages_of_caffe_has_numbers_of_its_own():
    taken = defaultdict(set)
    for entry in forks.table():
        assert entry.number not in taken[entry.owner], f"{entry.owner}.{entry.name}"
        taken[entry.owner].add(entry.number)
        if not home(entry.owner).startswith("Forks.") and entry.type != forks.VALUE:
            caffes = entry.number not in entry.numbers.values()  # one that a fork numbers otherwise
            assert forks.is_forks(entry.number) or caffes, f"{entry.owner}.{entry.name}"


def test_messages_of_ours_keep_their_names():
    layer = LayerParameter()
    assert type(layer.augment_param) is message_class("AugmentationParameter")
    assert type(layer.augmentation_param) is message_class("Forks.AugmentationParameter")
    assert extensions.FIRST <= message_class("NoiseParameter").DESCRIPTOR.fields_by_name["std"].number


SSD = """layer { name: "norm" type: "Normalize" bottom: "x" top: "y"
    norm_param { across_spatial: false scale_filler { type: "constant" value: 20 } channel_shared: false } }
layer { name: "prior" type: "PriorBox"
    prior_box_param { min_size: 30.0 aspect_ratio: 2 variance: [0.1, 0.1, 0.2, 0.2] } }
layer { name: "loss" type: "MultiBoxLoss" loss_param { normalization: VALID }
    multibox_loss_param { loc_loss_type: SMOOTH_L1 mining_type: MAX_NEGATIVE code_type: CENTER_SIZE } }
layer { name: "pool" type: "Pooling" pooling_param { pool: MAX kernel_size: 2 ceil_mode: false } }
layer { name: "data" type: "AnnotatedData"
    transform_param { resize_param { resize_mode: WARP interp_mode: LINEAR }
        distort_param { brightness_prob: 0.5 } emit_constraint { emit_type: CENTER } }
    annotated_data_param { batch_sampler { sampler { min_scale: 0.3 }
        sample_constraint { min_jaccard_overlap: 0.1 } } } }
layer { name: "ohem" type: "SoftmaxWithLossOHEM"
    loss_param { normalization: PRE_FIXED pre_fixed_normalizer: 128 } }
layer { name: "bn" type: "BN"
    bn_param { bn_mode: INFERENCE scale_filler { value: 1 } slope_filler { value: 2 } } }
"""


def test_text_of_forks_is_read_and_spelled():
    net = text.parse(SSD, NetParameter)
    assert net.layer[0].norm_param.scale_filler.value == 20 and not net.layer[0].norm_param.across_spatial
    assert text.parse(text.spell(net), NetParameter) == net
    assert NetParameter.FromString(net.SerializeToString()) == net


def messages(name: str) -> st.SearchStrategy:
    """Messages of any content."""
    return st.builds(lambda random: fill(message_class(name)(), random, 3), st.randoms(use_true_random=False))


def fill(message, random, depth, schema=None):
    """Set some fields of a message, and of messages in it; with a schema, those that a fork has."""
    fields = [f for f in message.DESCRIPTOR.fields if f.name != "blobs"]
    meanings = schema.meanings(message.DESCRIPTOR) if schema else {}
    has = {m.field.number: m for number, m in meanings.items() if number < extensions.FIRST}
    fields = [f for f in fields if schema is None or f.number in has]
    for field in random.sample(fields, min(4, len(fields))):
        if field.message_type is not None:
            if depth:
                inner = getattr(message, field.name)
                inner = inner.add() if field.is_repeated else inner
                inner.SetInParent()
                fill(inner, random, depth - 1, schema)
            continue
        if field.enum_type is not None:
            values = {number: number for number in field.enum_type.values_by_number}
            known = has[field.number].values if schema else None
            value = random.choice(
                [v for n, v in (known or values).items() if not (schema and n >= extensions.FIRST)]
            )
        elif field.type in (field.TYPE_STRING, field.TYPE_BYTES):
            value = random.choice(["", "a", "ab"])
            value = value.encode() if field.type == field.TYPE_BYTES else value
        elif field.type == field.TYPE_BOOL:
            value = random.random() < 0.5
        elif field.type in (field.TYPE_FLOAT, field.TYPE_DOUBLE):
            value = random.choice([0.0, 0.5, -2.0, 1e10])
        else:
            value = random.randrange(100)
        if field.is_repeated:
            getattr(message, field.name).append(value)
        else:
            setattr(message, field.name, value)
    return message


@given(messages("LayerParameter"))
def test_whatever_a_layer_says_reads_back(layer):
    net = NetParameter(layer=[layer])
    assert text.parse(text.spell(net), NetParameter) == net
    assert NetParameter.FromString(net.SerializeToString()) == net
