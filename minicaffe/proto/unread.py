"""Fields of forks that a net or solver sets and nothing here computes: they are refused, since what is passed
over would compute something else.

A field that has its default says what would be done without it, and some say only how to compute, or how
fast.  A layer that does read one declares it (`Layer.fork_fields`); messages that only forks have are the
business of the layers that they belong to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from .forks import forks_of, is_forks
from .schema import LayerParameter, Message

# What says how a fork computes, or how fast, and not what.
HOW = frozenset(
    """engine cudnn_convolution_algo_seeker conv_algos_override conv_algorithm threads parser_threads
    disk_reader_threads cache precache use_gpu_transform forward_packing random_seed verbose display
    debug_params solver_data_type store_blobs_in_old_format show_per_class_result""".split()
)

# Fields whose default is something that Caffe does not do -> the value that Caffe's way has.
CAFFES = {("BatchNormParameter", "use_weight_bias"): False, ("BatchNormParameter", "bias_term"): False}


def unread(message: Message, known: Collection[str] = (), path: str = "") -> Iterator[tuple[str, str]]:
    """The fields of forks in a message of Caffe's that matter and are not `known`: the path
    (pooling_param.pad_l), and the forks that have it."""
    owner = message.DESCRIPTOR.name
    for field, value in message.ListFields():
        place = f"{path}{field.name}"
        if place in known or field.name in HOW or field.name == "blobs":
            continue
        if is_forks(field.number):
            if (path or owner != LayerParameter.DESCRIPTOR.name) and matters(owner, field, value):
                yield place, ", ".join(forks_of(owner, field.name))
        elif field.message_type is not None:
            for item in value if field.is_repeated else [value]:
                yield from unread(item, known, f"{place}.")
        elif field.enum_type is not None and not field.is_repeated and is_forks(value):
            name = field.enum_type.values_by_number[value].name
            if f"{place}: {name}" not in known:
                enum = field.enum_type.full_name.removeprefix("caffe.")
                yield f"{place}: {name}", ", ".join(forks_of(enum, name))


def matters(owner: str, field: Any, value: Any) -> bool:
    """Whether a field of forks, in a message of Caffe's called `owner`, makes a difference to what is
    computed."""
    if field.name in HOW:
        return False
    if (owner, field.name) in CAFFES:
        return bool(value != CAFFES[owner, field.name])
    if field.is_repeated or field.message_type is not None:
        return True
    return bool(value != field.default_value)
