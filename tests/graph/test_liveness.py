"""From when to when buffers are needed."""

from minicaffe.graph.gradients import analyse
from minicaffe.graph.liveness import Span, Start, liveness, starts

from .nets import graph, losses, program

NET = (
    "Input in: > x label",  # forward step 0, backward 9
    "Op a: x > a",  # 1, 8
    "Squash s: a > s",  # 2, 7
    "Op b: s > b",  # 3, 6
    "Loss l: b label > loss",  # 4, 5
)


def live(*layers: str, train: bool = True, data_of: dict | None = None):
    g = graph(*layers)
    mults = [[1.0] if train and n.kind.__name__ == "Op" else [] for n in g.nodes]
    one = program(g, analyse(g.nodes, mults, losses(g), False))
    own = list(range(len(g.blob_names)))
    shared = [(data_of or {}).get(b, b) for b in own]
    return g, liveness(one, shared, own), starts(one, own, apart=False)


def by_name(g, spans) -> dict:
    return dict(zip(g.blob_names, spans))


def test_training():
    g, result, _ = live(*NET)
    data, diff = by_name(g, result.data), by_name(g, result.diff)
    assert data["x"] == Span(0, 8)  # a's weight gradient reads it
    assert data["a"] == Span(1, 2)  # s reads it forward; backward s reads its own top
    assert data["s"] == Span(2, 7)  # b's weight gradient at 6, s itself at 7
    assert data["b"] == Span(3, 5)
    assert data["loss"] == Span(4, 9)  # the host reads outputs when the pass is over
    assert diff["b"] == Span(5, 6) and diff["s"] == Span(6, 7) and diff["a"] == Span(7, 8)
    assert diff["x"] is None and diff["label"] is None
    assert result.saved == [Span(0, 0), Span(1, 8), Span(2, 7), Span(3, 6), Span(4, 5)]


def test_testing_needs_no_diffs_and_frees_early():
    g, result, _ = live(*NET, train=False)
    assert not any(result.diff)
    assert by_name(g, result.data)["s"] == Span(2, 3)


def test_aliases_live_as_one():
    g, result, _ = live(
        "Input in: > x", "Op a: x > a", "Op v: a > v", "Op b: v > b", data_of={2: 1}, train=False
    )
    data = by_name(g, result.data)
    assert data["v"] is None and data["a"] == Span(1, 3)


def test_dead_diffs_are_found():
    """A branch that no gradient comes back through: its diff counts as zero."""
    layers = (
        "Input in: > x label",
        "Op a: x > a",
        "Op split: a > u v",
        "Loss l: u label > loss",
        "Sink s: v >",
    )
    g, _, begin = live(*layers)
    assert begin == [
        Start(2, g.blob_names.index("v"), 0.0, once=False),
        Start(3, g.blob_names.index("loss"), 1.0, once=True),
    ]


def test_the_diff_of_places_gets_no_memory():
    """Nobody reads it: neither who gives them nor who takes them."""
    layers = "Input in: > x label", "Op a: x > a", "Pick p: a > y where", "Op b: y where > z"
    g, result, begin = live(*layers, "Loss l: z label > loss")
    diff = by_name(g, result.diff)
    assert diff["where"] is None and diff["y"] == Span(6, 7)
    assert [g.blob_names[start.blob] for start in begin] == ["loss"]
