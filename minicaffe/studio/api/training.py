"""New runs: what a form asks for, looked at before it begins, and begun."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...data import datasets
from ...errors import ConfigError, MiniCaffeError
from ...proto import text
from ...proto.schema import NetParameter, SolverParameter
from ...runs.home import Home
from ...solvers.policy import POLICIES, Policy
from .. import answers, screen
from ..follow import ASKED, REQUEST, read_object
from ..workspace import Workspace
from .jobs import folder_of, launcher_of, runs_of

if TYPE_CHECKING:
    from ..plans import Plan

RATE_POINTS = 400  # of a curve of rates
ESTIMATE_S = 60
MOST_COMPARED = 20  # runs, in search of one like that which is planned
WORDS = (  # of a request that a clone repeats
    *("dataset", "batch_size", "learning_rate", "train_epochs", "val_interval", "snapshot_interval"),
    *("random_seed", "solver_type", "lr_policy", "template"),
)
LONGEST_NAME = 60


def create(request: Request) -> Response:
    """POST /models/images/classification.json: begin a run, or with lists of rates or batch sizes a sweep."""
    body = answers.body(request)
    wanted = _plans(request, body)
    given = body.get("name") or body.get("model_name") or wanted[0].net.name or "run"
    name = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in str(given))
    stem = name.strip("._")[:LONGEST_NAME] or "run"
    launcher, made = launcher_of(request), []
    asked = {word: body[word] for word in WORDS if word in body} | {"name": str(given)[:200]}
    for plan in wanted:
        folder = _new_folder(request.app.state.workspace, plan.name(stem))
        launcher.ask(folder, plan, {**asked, **plan.varied})
        made.append(folder.name)
    launcher.start_waiting()
    return answers.json({"id": made[0], "job_ids": made, "status": "Waiting"})


def _new_folder(workspace: Workspace, name: str) -> Path:
    """A new folder for a run; of two who ask at the same time for one name each gets one."""
    while True:
        folder = workspace.new_run_folder(name)
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            continue


def preview(request: Request) -> Response:
    """What `create` would begin: the solver as it would run, rates along the iterations, memory and time;
    with `estimate` false without the last two, which take longer to find out."""
    body = answers.body(request)
    wanted = _plans(request, body)
    first = wanted[0]
    found = {} if body.get("estimate") is False else _estimate(request, first)
    return answers.json(
        {
            **found,
            "runs": [_shown(plan) for plan in wanted],
            "solver_text": text.spell(first.solver),
            "net_text": text.spell(first.net),
            "samples": first.samples,
            "batch": first.batch,
        }
    )


def _estimate(request: Request, plan: Plan) -> dict[str, Any]:
    """What estimate.estimate says, and the time of the whole run: by an earlier run, if there is one like
    it."""
    found: dict[str, Any] = request.app.state.workers.call(
        "check",
        "minicaffe.studio.estimate:estimate",
        {"net": text.spell(plan.net), "solver": text.spell(plan.solver)},
        ESTIMATE_S,
    )
    solver, measured = plan.solver, _measured(request, plan)
    found["measured_in"], found["total_s"] = None, None
    if measured:
        found["measured_in"], found["step_s"] = measured
        found["total_s"] = solver.max_iter * measured[1]
    elif found["step_s"] is not None:
        tests = 1 + solver.max_iter // solver.test_interval if solver.test_iter else 0
        found["total_s"] = solver.max_iter * solver.iter_size * found["step_s"]
        found["total_s"] += tests * sum(solver.test_iter) * found["test_s"]
    return found


def _measured(request: Request, plan: Plan) -> tuple[str, float] | None:
    """The latest run with a net of this name and this batch, and the seconds that its iterations took, tests
    included; None if there is none."""
    if not plan.batch or not plan.net.name:
        return None
    paths = [p for p in request.app.state.workspace.folder.iterdir() if Home(p).exists]
    for path in sorted(paths, key=lambda p: -p.stat().st_mtime)[:MOST_COMPARED]:
        run = runs_of(request)[path]
        try:
            named = run.home.read_job()["net"]
        except MiniCaffeError:
            continue
        if named == plan.net.name and run.batch() == plan.batch and (pace := run.pace()):
            return run.id, pace
    return None


def _plans(request: Request, body: dict[str, Any]) -> list[Plan]:
    """The runs that are asked for, none of which names what the page may not."""
    from ..plans import plans  # and with it much of the engine: a server starts faster without

    workspace = request.app.state.workspace

    def allow(net: NetParameter, solver: SolverParameter) -> None:
        screen.net(net, workspace)
        alone = SolverParameter()
        alone.CopyFrom(solver)
        alone.ClearField("snapshot_prefix")  # a run has its own
        screen.solver(alone, workspace)

    return plans(body, _source(request, body), allow)


def _source(request: Request, body: dict[str, Any]) -> str | None:
    """The data set that a body names: one of the workspace, or a known name."""
    name = body.get("dataset")
    if name in (None, ""):
        return None
    if not isinstance(name, str):
        raise ConfigError("dataset must be the id of one", field="dataset")
    if name in datasets.SETS:
        return name
    return str(request.app.state.workspace.dataset(name))


def _shown(plan: Plan) -> dict[str, Any]:
    """A run as the form shows it before it begins; its rates at points of the iterations."""
    last = max(plan.solver.max_iter, 1)
    step = max(1, -(-last // RATE_POINTS))
    at = sorted({*range(0, last, step), *(i for i in plan.solver.stepvalue if i < last), last - 1})
    policy, rates = Policy(plan.solver), []
    for i in at:
        policy.current_step = sum(value <= i for value in plan.solver.stepvalue)  # as multistep counts
        rates.append(policy.rate(i))
    return {
        "name": plan.name(""),
        "varied": plan.varied,
        "max_iter": plan.solver.max_iter,
        "rates": {"x": at, "y": rates},
    }


def clone(request: Request) -> Response:
    """GET /clone/ID: what a run was asked for, to be asked for again."""
    folder = folder_of(request)
    asked = read_object(folder / ASKED / REQUEST)
    again = {word: asked[word] for word in WORDS if word in asked}
    for name in ("net", "solver"):
        for path in (folder / ASKED / f"{name}.prototxt", folder / f"{name}.prototxt"):
            if path.is_file():
                again[name] = path.read_text("utf-8", "replace")
                break
    lines = [line for line in str(again.get("solver", "")).splitlines() if not line.startswith(OWN)]
    return answers.json({**again, "solver": "\n".join(lines) + "\n", "name": f"{folder.name}-again"})


OWN = ("net:", "snapshot_prefix:")


def choices(request: Request) -> Response:
    """What the form offers: types of solvers, policies of the rate, nets of the package."""
    from ...solvers.update_rules import RULES
    from ..plans import templates

    return answers.json(
        {
            "solver_types": sorted(RULES),
            "without_momentum": sorted(name for name, rule in RULES.items() if not rule.has_momentum),
            "policies": sorted(POLICIES),
            "templates": templates(),
        }
    )


ROUTES = [
    Route("/models/images/classification.json", create, methods=["POST"]),
    Route("/models/images/classification", create, methods=["POST"]),
    Route("/api/training/preview", preview, methods=["POST"]),
    Route("/api/training/choices", choices),
    Route("/clone/{id}", clone),
]
