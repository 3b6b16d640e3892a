"""Binary nets of forks: which fork a file is of, its numbers as ours, and back.

Forks gave one number to different fields: 147 of a layer is Caffe's swish_param, SphereFace's
margin_inner_product_param, ENet's upsample_param, NVIDIA's forward_math and four others.  Every field of a
layer that has such a number, or holds fields of forks, says of every fork whether it can be of that fork: by
its wire type, by whether its content is a message of that fork's and no more, and by whether it belongs to
the layer's type.  The fork that explains most is the file's; Caffe, where no fork explains more.

What the fork explains is translated to our numbers.  What it does not stays an unknown field, byte for byte,
under another number if ours would mean something else; `to_theirs` turns all of it back.  The name of the
fork, and the numbers that were left alone, are an unknown field of the net, which copies keep.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Any, NamedTuple

from ..errors import fold
from . import fork_schema, wire
from .fork_schema import CAFFE, LAYERS, NET, ForkSchema, Meaning
from .forks import is_forks
from .schema import BlobProto

MARK = 53000  # the unknown field of a net that names its fork, and after it numbers of layers' fields
UNKNOWN = 52000  # plus a number below 1000: an unknown field whose number has a meaning here
MOST = 1000  # fields that are asked about; more decide nothing else

# Fields that belong to types of other names: norm_param to Normalize.
OF_TYPES = {
    "norm_param": ("normalize",),
    "recurrent_param": ("lstm", "rnn"),
    "ctc_decoder_param": ("ctcgreedydecoder",),
    "ctc_loss_param": ("ctcloss", "warpctcloss"),
    "mil_data_param": ("mildata",),
    "smoothl1_param": ("smoothl1loss",),
    "detectnet_augmentation_param": ("detectnettransformation",),
    "detectnet_groundtruth_param": ("detectnettransformation",),
}


class Evidence(NamedTuple):
    """A field that may be of a fork: the message that it stands in, and the type of its layer, which is a
    number in a V1 layer."""

    message: Any
    type: str | int
    field: wire.Field


def to_ours(data: wire.Bytes) -> tuple[wire.Bytes, str]:
    """The bytes of a net with the numbers of our schema, and the name of the fork that wrote them; unchanged,
    with CAFFE, if it is of no fork."""
    try:
        evidence = list(islice(_evidence(data), MOST))
        if not evidence:
            return data, CAFFE
        fork, undecided = decide(evidence)
        changed = _ToOurs(fork_schema.of(fork), undecided).message(NET, data)
    except ValueError:  # no whole message, which parsing says
        return data, CAFFE
    if changed == data and fork == CAFFE:
        return data, CAFFE
    mark = " ".join([fork, *map(str, sorted(undecided))])
    return changed + wire.field(MARK, mark.encode()), fork


def to_theirs(data: bytes, mark: str) -> bytes:
    """The bytes of a net with the numbers of the fork that its MARK names."""
    fork, *undecided = mark.split(" ")
    return _ToTheirs(fork_schema.of(fork), frozenset(map(int, undecided))).message(NET, data)


def decide(evidence: list[Evidence]) -> tuple[str, frozenset[int]]:
    """The fork that explains most, and the numbers of layers' fields that forks which explain as much read
    otherwise."""
    scores: dict[str, int] = {}
    for fork in (CAFFE, *fork_schema.names()):
        schema = fork_schema.of(fork)
        known: dict[tuple[str, str | int, bytes], int] = {}
        score = 0
        for each in evidence:
            key = each.message.full_name, each.type, bytes(each.field.whole)
            if key not in known:
                known[key] = _score(schema, each)
            score += known[key]
        scores[fork] = score
    best = max(scores.values())
    if scores[CAFFE] == best:
        return CAFFE, frozenset()
    alike = [fork_schema.of(fork) for fork, score in scores.items() if score == best]
    readers = [_ToOurs(schema, frozenset()) for schema in alike]
    undecided = {
        each.field.number
        for each in evidence
        if len({bytes(reader.field(each.message, each.field)) for reader in readers}) > 1
    }
    return alike[0].fork, frozenset(undecided)


def _score(schema: ForkSchema, evidence: Evidence, alone: bool = False) -> int:
    """How well a fork explains a field; 2 is beyond doubt.  alone: no other forks are asked."""
    if not schema.explains_field(evidence.message, evidence.field):
        return -3
    name, kind = _name(schema, evidence), _kind(schema, evidence)
    if belongs(name, kind):
        return 2
    others = () if alone else _readings().get((evidence.message.full_name, evidence.field.number), ())
    return -2 if any(belongs(other, kind) for other in others) else 1


def _kind(schema: ForkSchema, evidence: Evidence) -> str:
    """The type of the layer, folded; in a V1 layer it is a number that forks read differently."""
    if isinstance(evidence.type, str):
        return fold(evidence.type)
    field = LAYERS[2].fields_by_name["type"]
    values = schema.meanings(LAYERS[2])[field.number].values or {}
    value = field.enum_type.values_by_number.get(values.get(evidence.type, -1))
    return fold(value.name) if value else ""


def _name(schema: ForkSchema, evidence: Evidence) -> str:
    meaning = schema.meanings(evidence.message).get(evidence.field.number)
    return meaning.field.name if meaning else ""


def belongs(name: str, kind: str) -> bool:
    """Whether a layer of this type, folded, has the parameters of this field."""
    return kind in OF_TYPES.get(name, ()) or fold(name.removesuffix("_param")) == kind


def _evidence(data: wire.Bytes) -> Iterator[Evidence]:
    """All fields that Caffe did not write, or may not have."""
    caffe = fork_schema.of(CAFFE)
    plain: dict[tuple[int, bytes], bool] = {}
    for found in wire.fields(data):
        message = LAYERS.get(found.number)
        if message is None or found.kind != wire.LENGTH:
            if found.number not in NET.fields_by_number or is_forks(found.number):
                yield Evidence(NET, "", found)
            continue
        contested, known, holders = CONTESTED[found.number], message.fields_by_number, _holders(message)
        kind: str | int = ""
        suspects = []
        for field in wire.fields(found.value):
            number = field.number
            if number == _TYPE[found.number]:
                kind = _spelled(field)
            if number in contested or number not in known or is_forks(number):
                suspects.append(field)
            elif number in holders:
                key = number, bytes(field.value)
                if key not in plain:
                    plain[key] = caffe.explains_field(message, field)
                if not plain[key]:
                    suspects.append(field)
        for field in suspects:
            evidence = Evidence(message, kind, field)
            if _score(caffe, evidence, alone=True) < 2:
                yield evidence


# Numbers of layers' fields of Caffe that forks have for others; by the number of the layers in a net.
CONTESTED = {100: frozenset((137, 138, 140, 141, *range(143, 149))), 2: frozenset[int]()}
CONTESTED_IN = {LAYERS[number].full_name: numbers for number, numbers in CONTESTED.items()}
_TYPE = {number: message.fields_by_name["type"].number for number, message in LAYERS.items()}


# Fields of messages in layers that are bool in Caffe and counts in a fork: what protobuf has read as true may
# have been 2.
COUNTS = {"caffe.ConvolutionParameter": frozenset((17,))}


def _is_contested(number: int) -> bool:
    return any(number in numbers for numbers in CONTESTED.values())


def _spelled(field: wire.Field) -> str | int:
    if field.kind == wire.VARINT:
        return wire.read_varint(field.value, 0)[0]
    return str(field.value, "utf-8", "replace")


@cache
def _holders(message: Any) -> frozenset[int]:
    """The fields of a layer that hold something of forks: a field, or a value of an enum."""
    return frozenset(field.number for field in message.fields if _holds(field, 3))


def _holds(field: Any, depth: int) -> bool:
    if field.enum_type is not None:
        return any(is_forks(value.number) for value in field.enum_type.values)
    if field.message_type is None or not depth or field.message_type is BlobProto.DESCRIPTOR:
        return False
    return any(is_forks(each.number) or _holds(each, depth - 1) for each in field.message_type.fields)


@cache
def _readings() -> dict[tuple[str, int], set[str]]:
    """All names that a number of a layer's field has, Caffe's among them."""
    found: dict[tuple[str, int], set[str]] = {}
    for message in LAYERS.values():
        for schema in map(fork_schema.of, (CAFFE, *fork_schema.names())):
            for number, meaning in schema.meanings(message).items():
                found.setdefault((message.full_name, number), set()).add(meaning.field.name)
    return found


class _ToOurs:
    def __init__(self, schema: ForkSchema, undecided: frozenset[int]) -> None:
        self.schema = schema
        self.undecided = undecided

    def message(self, message: Any, content: wire.Bytes) -> bytes:
        return b"".join(self.field(message, found) for found in wire.fields(content))

    def field(self, message: Any, found: wire.Field) -> wire.Bytes:
        meaning = self.schema.meanings(message).get(found.number)
        if meaning is not None and message in LAYERS.values() and self._is_doubtful(message, found, meaning):
            if meaning.field.number == found.number and not _is_contested(found.number):
                return found.whole  # a message of Caffe's, in which fields of forks stay unknown
            meaning = None
        if meaning is None:
            taken = found.number in message.fields_by_number and found.number < 1000
            return wire.renumbered(found, UNKNOWN + found.number) if taken else found.whole
        number, inner = meaning.field.number, meaning.field.message_type
        if inner is not None and found.kind == wire.LENGTH and inner.name != "BlobProto":
            if inner in LAYERS.values() or self.schema.differs(inner):
                return wire.field(number, self.message(inner, found.value))
        if meaning.values is not None and found.kind == wire.VARINT:
            value = wire.read_varint(found.value, 0)[0]
            return wire.field(number, meaning.values.get(value, value))
        return found.whole if number == found.number else wire.renumbered(found, number)

    def _is_doubtful(self, message: Any, found: wire.Field, meaning: Meaning) -> bool:
        if found.number in self.undecided:
            return True
        renumbered = meaning.field.number != found.number
        return (renumbered or _is_contested(found.number)) and not self.schema.explains_field(message, found)


class _ToTheirs:
    def __init__(self, schema: ForkSchema, undecided: frozenset[int]) -> None:
        self.schema = schema
        self.undecided = undecided

    def message(self, message: Any, content: wire.Bytes) -> bytes:
        """The message in the fork's numbers, its fields in their order, as protobuf writes them."""
        parts: list[tuple[int, wire.Bytes]] = []
        for found in wire.fields(content):
            if message is NET and found.number == MARK:
                continue
            number = self.schema.numbers(message).get(found.number)
            if message in LAYERS.values() and found.number in self.undecided:
                parts.append((found.number, found.whole))
            elif number is not None:
                parts.append((number, self._field(message, found, number)))
            elif UNKNOWN <= found.number < UNKNOWN + 1000:
                number = found.number - UNKNOWN
                parts.append((number, wire.renumbered(found, number)))
            else:
                parts.append((found.number, found.whole))
        parts.sort(key=lambda each: each[0])
        return b"".join([part for _, part in parts])

    def _field(self, message: Any, found: wire.Field, number: int) -> wire.Bytes:
        meaning = self.schema.meanings(message)[number]
        inner = meaning.field.message_type
        if inner is not None and found.kind == wire.LENGTH and inner.name != "BlobProto":
            if inner in LAYERS.values() or self.schema.differs(inner):
                return wire.field(number, self.message(inner, found.value))
        if meaning.values is not None and found.kind == wire.VARINT:
            value = wire.read_varint(found.value, 0)[0]
            theirs = {ours: theirs for theirs, ours in meaning.values.items()}
            return wire.field(number, theirs.get(value, value))
        return found.whole if number == found.number else wire.renumbered(found, number)
