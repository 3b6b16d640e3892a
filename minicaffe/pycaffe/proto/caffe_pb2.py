"""caffe.proto.caffe_pb2: the messages and enums of caffe.proto as attributes.

    from caffe.proto import caffe_pb2
    caffe_pb2.NetParameter(), caffe_pb2.TEST, caffe_pb2.PoolingParameter.MAX

The classes are those of minicaffe.proto.schema, with minicaffe's own fields beside Caffe's.  Their
descriptor pool is their own, so a Caffe that is installed as well does not collide with them; text_format
reads and writes them as any message.
"""

from __future__ import annotations

from typing import Any

from ...proto import schema

globals().update(schema.definitions())


def __getattr__(name: str) -> Any:
    """For a name that is not in the schema; type checkers learn from it that names exist."""
    raise AttributeError(f"caffe.proto has no message, enum or value {name!r}")
