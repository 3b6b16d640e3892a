"""minicaffe upgrade_net_proto_binary: rewrites a .caffemodel in the current schema, as Caffe's does."""

from __future__ import annotations

from ..proto import binary
from ..proto.schema import NetParameter
from .upgrade_net_proto_text import upgrade_net
from .upgrading import Upgrade

program = Upgrade(
    "upgrade_net_proto_binary",
    "NetParameter binary",
    read=lambda path: binary.read(path, NetParameter),
    upgrade=upgrade_net,
    spell=binary.to_bytes,
)
parser, run = program.parser, program.run
