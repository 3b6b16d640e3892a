"""minicaffe upgrade_solver_proto_text: rewrites a solver prototxt in the current schema, as Caffe's does:
solver_type: ADAM becomes type: "Adam"; nets inside it are upgraded too, which Caffe forgets."""

from __future__ import annotations

from ..proto import text, upgrade
from ..proto.schema import SolverParameter
from .upgrading import Upgrade, Upgraded


def upgrade_solver(solver: SolverParameter, source: str) -> Upgraded:
    before = SolverParameter()
    before.CopyFrom(solver)
    with text.in_file(source):
        lost = upgrade.upgrade_solver(solver, source)
    return Upgraded(solver != before, lost)


program = Upgrade(
    "upgrade_solver_proto_text",
    "SolverParameter text",
    read=lambda path: text.read(path, SolverParameter),
    upgrade=upgrade_solver,
    spell=lambda solver: text.spell(solver).encode(),
)
parser, run = program.parser, program.run
