"""minicaffe upgrade_net_proto_text: rewrites a net prototxt in the current schema, as Caffe's does."""

from __future__ import annotations

from ..errors import Place, locate
from ..proto import text, upgrade
from ..proto.schema import NetParameter
from .upgrading import Upgrade, Upgraded


def upgrade_net(net: NetParameter, source: str) -> Upgraded:
    current = upgrade.is_current(net)
    with locate(Place(file=source)):
        return Upgraded(not current, upgrade.upgrade_net(net, source))


program = Upgrade(
    "upgrade_net_proto_text",
    "NetParameter text",
    read=lambda path: text.read(path, NetParameter),
    upgrade=upgrade_net,
    spell=lambda net: text.spell(net).encode(),
)
parser, run = program.parser, program.run
