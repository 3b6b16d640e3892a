"""A net in one of its states, as rules look at it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from ..core.layer import Layer
from ..errors import DataError
from ..files import read_text
from ..graph.filter import takes_part
from ..layers import LAYERS, resolve
from ..net import Net
from ..proto import text
from ..proto.schema import TRAIN, LayerParameter, NetParameter
from .finding import Finding

SHAPING = frozenset({"Flatten", "Reshape", "Dropout", "Split"})  # their tops hold their bottoms' values


class State:
    """The layers that take part in a state, and what is known of them.

    name     "TRAIN", "TEST", "deploy", ...
    deploys  there is no data and no loss: outputs are what it is for
    weights  training starts from weights that the solver names
    layers   their descriptions, in order; lines are where they stand in the file (None if unknown)
    net      shapes and plan; None if the net could not be built
    """

    def __init__(
        self, name: str, param: NetParameter, file: str, *, deploys: bool = False, weights: bool = False
    ) -> None:
        self.name, self.param, self.file = name, param, file
        self.deploys, self.weights = deploys, weights
        chosen = [i for i, layer in enumerate(param.layer) if takes_part(layer, param.state)]
        everywhere = lines_of(file, param)
        self.layers: list[LayerParameter] = [param.layer[i] for i in chosen]
        self.lines = [everywhere[i] for i in chosen]
        self.net: Net | None = None

    @property
    def phase(self) -> int:
        return self.param.state.phase

    @property
    def trains(self) -> bool:
        return self.phase == TRAIN and not self.deploys

    def kind(self, i: int) -> type[Layer] | None:
        """The class of layer i, None if there is none."""
        return resolve(self.layers[i].type) if self.layers[i].type in LAYERS else None

    def of_type(self, *types: str) -> Iterator[int]:
        """The layers of these types."""
        return (i for i, layer in enumerate(self.layers) if layer.type in types)

    @cached_property
    def below(self) -> list[list[int | None]]:
        """For every bottom of every layer the layer that wrote it last; None if none did."""
        writer: dict[str, int] = {}
        result: list[list[int | None]] = []
        for i, layer in enumerate(self.layers):
            result.append([writer.get(name) for name in layer.bottom])
            writer.update(dict.fromkeys(layer.top, i))
        return result

    @cached_property
    def above(self) -> list[list[int]]:
        """For every layer those that read what it wrote."""
        result: list[list[int]] = [[] for _ in self.layers]
        for i, sources in enumerate(self.below):
            for source in sources:
                if source is not None:
                    result[source].append(i)
        return result

    def origin(self, i: int, bottom: int = 0, through: frozenset[str] = SHAPING) -> int | None:
        """The layer that computed a bottom's values, looking through layers that only hand them on."""
        found: int | None = i
        while found is not None and (found == i or self.layers[found].type in through):
            sources = self.below[found]
            index = bottom if found == i else 0
            found = sources[index] if index < len(sources) else None
        return found

    def loss_weights(self, i: int) -> list[float]:
        """What the tops of layer i contribute to the loss."""
        layer, kind = self.layers[i], self.kind(i)
        default = [kind.loss_weight if kind else 0.0]
        return [*layer.loss_weight] or default

    def finding(self, severity: str, i: int | None, what: str, remedy: str) -> Finding:
        """A finding about layer i, or about the whole net; the runner of the rules adds the rule."""
        line = None if i is None else self.lines[i]
        where = f"{self.file}:{line}" if line else self.file
        name = "" if i is None else self.layers[i].name
        return Finding(severity, "", where, name, what, remedy, (self.name,))


def lines_of(file: str, param: NetParameter) -> Sequence[int | None]:
    """The line of every layer of the file.  What an upgrade put in front has none; where it changed more,
    names tell."""
    try:
        source = read_text(file)
    except DataError:  # the net came from elsewhere
        return [None] * len(param.layer)
    starts = list(text.layer_starts(source))
    new = len(param.layer) - len(starts)
    names = [layer.name for layer in param.layer]
    if new >= 0 and names[new:] == [name for name, _ in starts]:
        return [None] * new + [line for _, line in starts]
    by_name = text.layer_lines(source)
    return [by_name.get(name) for name in names]
