"""minicaffe draw: a net as a graph."""

from __future__ import annotations

from ..checking.cost import LayerCost
from ..checking.shapes import outline
from ..checking.state import State
from ..checking.summary import costs_of, distinct_parameters, state_of, unknown_shapes
from ..checking.table import short, spelled
from ..data.absent import Given
from ..drawing.layout import DIRECTIONS
from ..drawing.picture import form_of, picture, write
from ..drawing.theme import THEMES
from ..errors import ConfigError
from ..graph.filter import filter_net
from ..graph.splits import insert_splits
from ..net import Net
from ..proto import text, upgrade
from ..proto.schema import NetParameter
from ..solvers import nets
from . import flags, terminal


def parser() -> flags.Parser:
    p = flags.Parser(
        "draw",
        "Draw a net as a graph, with shapes, parameters and multiply-adds of each layer.  NET is a net or"
        " solver prototxt.  Layers in place are attached to the layer whose top they change.",
    )
    p.add_argument("net", metavar="NET", help="a net or solver prototxt, or a net of the package")
    p.add_argument("-o", "--output", metavar="FILE", help="the picture: .svg or .png")
    p.flag("rankdir", choices=DIRECTIONS, default="TB", help="where data flows: top to bottom (default), ...")
    p.flag(
        "columns",
        type=int,
        metavar="N",
        help="into how many columns a long net is cut (bands, if data flows sideways); 1: none; default: as"
        " many as bring the picture near to a page",
    )
    p.flag(
        "theme",
        choices=tuple(THEMES),
        default="light",
        help="colours for a light page (default) or a dark one",
    )
    p.flag(
        "phase",
        choices=("TRAIN", "TEST", "ALL"),
        help="the net's phase (default: the first that has data); ALL draws the layers of all states, and"
        " marks those that some state lacks",
    )
    flags.add_state(p)
    p.flag("source", metavar="A,B", help="data for all-in-one nets that leave it open, as for train")
    flags.add_shapes(p)
    p.flag("splits", action="store_true", help="show the layers that hand one blob to several readers")
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    if not args.output:
        raise ConfigError("-o is missing: where the picture goes", hint="-o net.svg")
    form = form_of(args.output)
    path = flags.named(args.net)
    notes, subtitle = {}, ""
    if args.phase == "ALL":
        if args.level or args.stage or args.splits:
            raise ConfigError("--phase ALL draws all layers", hint="leave out --level, --stage and --splits")
        net = _all_layers(path)
    else:
        stages = flags.stages(args)
        state, _ = state_of(path, phase=args.phase, level=args.level, stages=stages, source=args.source)
        net = filter_net(state.param)
        for layer in net.layer:  # one state is drawn, of which nothing needs to be said
            layer.ClearField("include")
            layer.ClearField("exclude")
        if args.splits:
            net = insert_splits(net)
        costs = _costs(state, flags.shapes(args))
        tops = {layer.name: list(layer.top) for layer in net.layer}
        notes = {cost.name: _notes(cost, tops[cost.name]) for cost in costs}
        subtitle = f"{state.name}: {_total(state.net, costs)}" if state.net else state.name
    drawn = picture(
        net,
        form,
        direction=args.rankdir,
        notes=notes,
        subtitle=subtitle,
        columns=args.columns,
        theme=args.theme,
    )
    write(args.output, drawn)
    terminal.say(f"Wrote {args.output}")
    return 0


def _all_layers(path: str) -> NetParameter:
    """The layers of all states of a net, or of the net that a solver trains."""
    return upgrade.read_net(path) if text.is_net(path) else nets.training(upgrade.read_solver(path), path)[0]


def _costs(state: State, shapes: Given) -> list[LayerCost]:
    """What the layers cost; nothing, and a word about why, if shapes are not known."""
    findings = outline(state, shapes)
    if state.net is None:
        reason = unknown_shapes(state, findings)
        terminal.complain(f"minicaffe draw: no shapes and costs are drawn: {reason}")
        return []
    return costs_of(state.net, state)


def _notes(cost: LayerCost, tops: list[str]) -> list[str]:
    """Shapes, by name where there are several that differ; parameters and multiply-adds."""
    shapes = spelled(cost.tops).split()
    if len(set(shapes)) == 1:
        lines = [shapes[0] if len(shapes) == 1 else f"{len(shapes)} tops {shapes[0]}"]
    else:
        lines = [f"{name}: {shape}" for name, shape in zip(tops, shapes)]
    counts = [(cost.parameters, "parameters"), (cost.multiply_adds, "multiply-adds")]
    words = [f"{short(count)} {what}" for count, what in counts if count]
    return [*lines, *([", ".join(words)] if words else [])]


def _total(net: Net, costs: list[LayerCost]) -> str:
    """Of parameters that are shared one set counts."""
    multiply_adds = sum(cost.multiply_adds or 0 for cost in costs)
    unknown = sorted({cost.type for cost in costs if cost.multiply_adds is None})
    without = f" without {' and '.join(unknown)}" if unknown else ""
    return f"{short(distinct_parameters(net))} parameters, {short(multiply_adds)} multiply-adds{without}"
