"""The graph of a net in one of its states, as the page draws it: nodes, edges, places, costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..checking.cost import LayerCost
from ..drawing.diagram import OUTSIDE, Box, diagram
from ..drawing.layout import Curve, lay_out
from ..drawing.scene import text_width
from ..proto.schema import LayerParameter, NetParameter

NAME, SMALL = 13.0, 11.0  # sizes of letters, as in design.css
LINE, PADDING, STRIP = 15.0, 9.0, 17.0
LONGEST = 40  # letters of a line; the page shows the whole of it when asked

Place = tuple[int, int]  # a layer's number in the text, and its line; (-1, 0) if it is not there


def view(
    layers: Sequence[LayerParameter], places: Sequence[Place], costs: Sequence[LayerCost]
) -> dict[str, Any]:
    """Nodes, edges and their layout; `costs` is empty if shapes are not known.

    A node has a number, what its layer is called and where it stands in the text, what stands below its name
    (`lines`), and the in-place layers attached to it.  An edge has the numbers of its ends and the blobs that
    pass.  All lengths are in pixels at 100 %.
    """
    numbered = NetParameter()
    for number, layer in enumerate(layers):
        copy = numbered.layer.add()
        copy.CopyFrom(layer)
        copy.name = str(number)  # names need not differ
        for field in ("include", "exclude"):
            copy.ClearField(field)
    drawn = diagram(numbered)
    node_of: dict[int, int] = {}
    outside: dict[str, int] = {}
    for node, box in enumerate(drawn.boxes):
        if box.kind == OUTSIDE:
            outside[box.name] = node
            continue
        for name in (box.name, *(attached.name for attached in box.attached)):
            node_of[int(name)] = node
    nodes = [_node(box, layers, places, costs) for box in drawn.boxes]
    layout = lay_out([_size(node) for node in nodes], drawn.links)
    for said, place in zip(nodes, layout.boxes):
        said["box"] = [round(value, 1) for value in place]
    blobs = _blobs(layers, node_of, outside)
    edges = [
        {"from": first, "to": last, "blobs": blobs.get((first, last), []), "path": _path(curve)}
        for (first, last), curve in zip(drawn.links, layout.curves)
    ]
    return {"nodes": nodes, "edges": edges, "width": round(layout.width), "height": round(layout.height)}


def _node(
    box: Box, layers: Sequence[LayerParameter], places: Sequence[Place], costs: Sequence[LayerCost]
) -> dict[str, Any]:
    if box.kind == OUTSIDE:
        layer = LayerParameter(name=box.name, top=[box.name])
        return _entry(0, OUTSIDE, [layer], [(-1, 0)], []) | {"attached": [], "lines": [box.type]}
    node = _entry(int(box.name), box.kind, layers, places, costs)
    node["attached"] = [
        _entry(int(attached.name), attached.kind, layers, places, costs) for attached in box.attached
    ]
    shapes = ", ".join("×".join(map(str, shape)) for shape in node["shapes"])
    node["lines"] = [
        f"{box.type}, {box.settings}" if box.settings else box.type,
        *([shapes] if shapes else []),
    ]
    return node


def _entry(
    number: int,
    kind: str,
    layers: Sequence[LayerParameter],
    places: Sequence[Place],
    costs: Sequence[LayerCost],
) -> dict[str, Any]:
    layer, (index, line) = layers[number], places[number]
    cost = costs[number] if costs else None
    return {
        "name": layer.name,
        "type": layer.type,
        "kind": kind,
        "index": index,
        "line": line,
        "bottoms": list(layer.bottom),
        "tops": list(layer.top),
        "shapes": [list(shape) for shape in cost.tops] if cost else [],
        "parameters": cost.parameters if cost else 0,
        "operations": cost.multiply_adds if cost else None,
    }


def _size(node: dict[str, Any]) -> tuple[float, float]:
    lines = [*node["lines"], *(f"{each['name']}  {each['type']}" for each in node["attached"])]
    widths = [text_width(node["name"][:LONGEST], NAME, bold=True)]
    widths += [text_width(line[:LONGEST], SMALL) for line in lines]
    height = (1 + len(node["lines"])) * LINE + 2 * PADDING - 4 + len(node["attached"]) * STRIP
    return max(84.0, max(widths) + 2 * PADDING), height


def _blobs(
    layers: Sequence[LayerParameter], node_of: dict[int, int], outside: dict[str, int]
) -> dict[tuple[int, int], list[str]]:
    """The blobs that pass from node to node."""
    maker: dict[str, int] = {}
    found: dict[tuple[int, int], list[str]] = {}
    for number, layer in enumerate(layers):
        node = node_of[number]
        for name in layer.bottom:
            source = maker.get(name, outside.get(name))
            if source is not None and source != node:
                passing = found.setdefault((source, node), [])
                if name not in passing:
                    passing.append(name)
        maker.update(dict.fromkeys(layer.top, node))
    return found


def _path(curve: Curve) -> str:
    """As the d of an SVG path."""
    parts = [f"M{curve.start[0]:.1f},{curve.start[1]:.1f}"]
    parts += ["C" + " ".join(f"{x:.1f},{y:.1f}" for x, y in piece) for piece in curve.pieces]
    return "".join(parts)
