"""caffe.draw: pictures without any other program, and graphs for Graphviz where pydot is installed."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from google.protobuf import text_format

from minicaffe.errors import ConfigError, DataError, MiniCaffeError
from minicaffe.pycaffe import draw
from minicaffe.pycaffe.proto import caffe_pb2

ROOT = Path(__file__).parent.parent.parent
NET = ROOT / "prototxt" / "digits" / "train_test.prototxt"


def read(path: Path):
    return text_format.Merge(path.read_text(), caffe_pb2.NetParameter())


def parse(words: str):
    return text_format.Parse(words, caffe_pb2.LayerParameter())


@pytest.mark.parametrize(
    "path",
    sorted(p for p in (ROOT / "prototxt").glob("*/*.prototxt") if "solver" not in p.name),
    ids=lambda p: p.stem,
)
def test_every_net_of_this_project(path):
    assert draw.draw_net(read(path), "LR", ext="svg").startswith(b"<?xml")


def test_png_is_the_default():
    assert draw.draw_net(read(NET), "TB").startswith(b"\x89PNG")


def test_phases():
    net = read(NET)
    both = draw.draw_net(net, "LR", "svg").decode()
    train = draw.draw_net(net, "LR", "svg", phase=caffe_pb2.TRAIN).decode()
    test = draw.draw_net(net, "LR", "svg", phase=caffe_pb2.TEST).decode()
    assert both.count("digits/") == 2 and "accuracy" in both
    assert "digits/train" in train and "digits/test" not in train and "accuracy" not in train
    assert "digits/test" in test and "accuracy" in test
    assert net == read(NET), "the net of the caller stays as it was"


def test_rules_that_contradict_each_other():
    net = caffe_pb2.NetParameter(layer=[{"name": "x", "type": "ReLU"}])
    net.layer[0].include.add()
    net.layer[0].exclude.add()
    with pytest.raises(ValueError, match="both include and exclude rules are set"):
        draw.draw_net(net, "LR", "svg", phase=caffe_pb2.TEST)


def test_earlier_schemas():
    net = caffe_pb2.NetParameter()
    net.layers.add(name="old", type=caffe_pb2.V1LayerParameter.RELU, bottom=["x"], top=["y"])
    assert b"old" in draw.draw_net(net, "LR", "svg")


def test_files(tmp_path):
    path = tmp_path / "net.svg"
    draw.draw_net_to_file(read(NET), str(path), "TB", display_lrm=True)
    assert "lr mult: 1, 2" in path.read_text()
    with pytest.raises(DataError, match="cannot write"):
        draw.draw_net_to_file(read(NET), str(tmp_path / "none" / "net.svg"))
    assert [p.name for p in tmp_path.iterdir()] == ["net.svg"]


@pytest.mark.parametrize(
    "words, label, edge, colour",
    [
        (
            'name: "c" type: "Convolution" convolution_param { num_output: 8 kernel_size: 5 pad: 2 }'
            " param { lr_mult: 0 }",
            r'"c\n(Convolution)\nkernel size: 5\nstride: 1\npad: 2\nlr mult: 0"',
            "8",
            "#FF5050",
        ),
        (
            'name: "p" type: "Pooling" pooling_param { pool: AVE kernel_size: 3 stride: 2 }',
            r'"p\n(Pooling AVE)\nkernel size: 3\nstride: 2\npad: 0"',
            '""',
            "#FF9900",
        ),
        (
            'name: "i" type: "InnerProduct" inner_product_param { num_output: 9 }',
            r'"i\n(InnerProduct)\nlr mult: 1, 1"',
            "9",
            "#CC33FF",
        ),
        ('name: "d" type: "Data" data_param { batch_size: 64 }', r'"d\n(Data)"', "Batch 64", "#6495ED"),
    ],
)
def test_labels(words, label, edge, colour):
    layer = parse(words)
    assert draw.get_layer_label(layer, "LR", display_lrm=True) == label
    assert draw.get_layer_label(layer, "TB", display_lrm=True) == label.replace(r"\n", " ")
    assert draw.get_edge_label(layer) == edge
    assert draw.choose_color_by_layertype(layer.type) == colour
    assert draw.get_pooling_types_dict() == {0: "MAX", 1: "AVE", 2: "STOCHASTIC"}


class Graph(SimpleNamespace):
    """What is used of pydot.Dot, kept in lists."""

    def __init__(self, name, **attributes):
        super().__init__(name=name, attributes=attributes, nodes=[], edges=[])

    def add_node(self, node):
        self.nodes.append(node)

    def add_edge(self, edge):
        self.edges.append(edge)

    def to_string(self):
        return f"digraph {self.name}"

    def create(self, format):
        if format == "pdf":
            return b"%PDF"
        raise OSError("no such format")


def standing_in(monkeypatch):
    pydot = SimpleNamespace(
        Dot=Graph,
        Node=lambda name, **style: SimpleNamespace(name=name, style=style),
        Edge=lambda source, target, label: (source.name, target.name, label),
    )
    monkeypatch.setitem(sys.modules, "pydotplus", pydot)


def test_a_graph_for_graphviz(monkeypatch):
    standing_in(monkeypatch)
    graph = draw.get_pydot_graph(read(NET), "LR", phase=caffe_pb2.TRAIN)
    assert (graph.name, graph.attributes) == ("LeNet-digits", {"graph_type": "digraph", "rankdir": "LR"})
    styles = {node.name: node.style for node in graph.nodes}
    assert styles['"data"'] == draw.BLOB_STYLE
    assert styles[r'"relu1\n(ReLU)"'] == draw.NEURON_LAYER_STYLE
    assert styles[r'"ip1\n(InnerProduct)"']["fillcolor"] == "#CC33FF"
    assert (r'"ip1\n(InnerProduct)"', '"ip1"', "500") in graph.edges
    assert ('"ip1"', r'"relu1\n(ReLU)"', '""') in graph.edges
    plain = draw.get_pydot_graph(read(NET), "LR", label_edges=False)
    assert {label for _, _, label in plain.edges} == {'""'}
    assert draw.LAYER_STYLE_DEFAULT["fillcolor"] == "#6495ED"


def test_formats_of_graphviz(monkeypatch, tmp_path):
    standing_in(monkeypatch)
    assert draw.draw_net(read(NET), "LR", "pdf") == b"%PDF"
    assert draw.draw_net(read(NET), "LR", "raw") == b"digraph LeNet-digits"
    with pytest.raises(
        ConfigError, match="Graphviz could not draw 'gif': no such format; hint: install Graph"
    ):
        draw.draw_net_to_file(read(NET), str(tmp_path / "net.gif"))
    assert not list(tmp_path.iterdir())


def test_without_pydot(monkeypatch):
    for name in ("pydotplus", "pydot"):
        monkeypatch.setitem(sys.modules, name, None)
    assert draw.draw_net(read(NET), "LR", "svg")
    with pytest.raises(ImportError, match=r"pydotplus or pydot is needed, .* svg and png are drawn") as error:
        draw.get_pydot_graph(read(NET), "LR")
    assert isinstance(error.value, MiniCaffeError)


def test_with_pydot(monkeypatch):
    pydot = pytest.importorskip("pydot")
    monkeypatch.setitem(sys.modules, "pydotplus", None)  # which would come first
    graph = draw.get_pydot_graph(read(NET), "LR")
    assert isinstance(graph, pydot.Dot)
    assert 'digraph "LeNet-digits"' in graph.to_string() and "kernel size: 5" in graph.to_string()
