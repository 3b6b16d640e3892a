"""Nets as pictures: boxes and links of a diagram, what a scene shows, SVG and PNG files."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree

import pytest

from minicaffe.drawing.diagram import OUTSIDE, UNKNOWN, diagram, settings
from minicaffe.drawing.picture import form_of, picture, write
from minicaffe.drawing.png import png
from minicaffe.drawing.scene import FILL_AND_EDGE, NAME, Panel, Words, scene, text_width
from minicaffe.drawing.svg import svg
from minicaffe.errors import ConfigError, DataError
from minicaffe.layers import LAYERS
from minicaffe.proto import text
from minicaffe.proto.schema import LayerParameter, NetParameter

SMALL = """
name: "small <net>"
layer { name: "data" type: "Input" top: "data" top: "label" }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 3 } }
layer { name: "relu" type: "ReLU" bottom: "ip" top: "ip" }
layer { name: "drop" type: "Dropout" bottom: "ip" top: "ip" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" }
"""


def net(words: str) -> NetParameter:
    return text.parse(words, NetParameter)


def layer(words: str) -> LayerParameter:
    return text.parse(words, LayerParameter)


def test_boxes_and_links():
    found = diagram(net(SMALL), {"ip": ["64x3"]})
    assert [box.name for box in found.boxes] == ["data", "ip", "loss"]
    assert found.boxes[1].attached == [("relu", "ReLU", "neuron"), ("drop", "Dropout", "neuron")]
    assert (found.boxes[1].notes, found.boxes[1].settings) == (["64x3"], "3 outputs")
    assert found.links == [(0, 1), (1, 2), (0, 2)]


def test_in_place_layers_that_others_read_around_stand_alone():
    beside = 'layer { name: "b" type: "Power" bottom: "a" top: "b" }'
    behind = 'layer { name: "d" type: "Power" bottom: "a" top: "d" }'
    in_place = 'layer { name: "c" type: "ReLU" bottom: "a" top: "a" }'
    found = diagram(net('layer { name: "a" type: "Input" top: "a" }' + beside + in_place + behind))
    assert [box.name for box in found.boxes] == ["a", "b", "c", "d"]
    assert found.links == [(0, 1), (0, 2), (2, 3)]


def test_blobs_from_elsewhere_and_unknown_types():
    found = diagram(net('layer { name: "x" type: "Own" bottom: "a" bottom: "a" top: "a" }'))
    assert [(box.name, box.kind) for box in found.boxes] == [("a", OUTSIDE), ("x", UNKNOWN)]
    assert found.links == [(0, 1)]


def test_several_states_in_one_picture():
    """The data layers of training and testing both feed what reads them; an in-place layer is behind both."""
    two = 'layer { name: "d" type: "Data" top: "x" } layer { name: "d" type: "Data" top: "x" }'
    found = diagram(net(two + 'layer { name: "r" type: "ReLU" bottom: "x" top: "x" }'))
    assert found.links == [(0, 2), (1, 2)]


@pytest.mark.parametrize(
    "words, expected",
    [
        ('type: "Convolution" convolution_param { num_output: 8 kernel_size: 5 }', "8 filters, 5x5"),
        (
            'type: "Convolution" convolution_param { num_output: 8 kernel_h: 3 kernel_w: 1 stride: 2 pad_h: 1'
            " group: 2 dilation: 2 }",
            "8 filters, 3x1, stride 2, pad 1x0, dilation 2, 2 groups",
        ),
        (
            'type: "Deconvolution" convolution_param { num_output: 8 kernel_size: 2 kernel_size: 4 }',
            "8 filters, 2x4",
        ),
        (
            'type: "Pooling" pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }',
            "AVE, 3x3, stride 2, pad 1",
        ),
        ('type: "Pooling" pooling_param { global_pooling: true }', "MAX, global"),
        ('type: "Data" data_param { source: "mnist/train" batch_size: 64 }', "mnist/train, batch 64"),
        ('type: "Data" data_param { batch_size: 64 }', "batch 64"),
        ('type: "Power" power_param { power: 2 }', "x^2"),
        ('type: "Power" power_param { power: 2 scale: -1 shift: 1 }', "(-1 x + 1)^2"),
        ('type: "Power" power_param { shift: -1 }', "x - 1"),
        ('type: "Dropout"', "ratio 0.5"),
        ('type: "Eltwise"', "SUM"),
        ('type: "Python" python_param { module: "m" layer: "Own" }', "m.Own"),
        ('type: "ReLU"', ""),
    ],
)
def test_settings(words, expected):
    assert settings(layer(words)) == expected


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_every_type_has_a_colour_and_settings(name):
    box = diagram(net(f'layer {{ name: "x" type: "{name}" top: "x" }}')).boxes[0]
    assert box.kind in FILL_AND_EDGE and isinstance(box.settings, str)


def test_what_a_scene_shows():
    shown = scene(diagram(net(SMALL), {"ip": ["64x3"]}), subtitle="12 parameters")
    words = [shape.text for shape in shown.shapes if isinstance(shape, Words)]
    assert words[:2] == ["small <net>", "12 parameters"]
    assert {"ip", "InnerProduct, 3 outputs", "64x3", "relu  ReLU", "drop  Dropout"} <= set(words)
    panels = [shape for shape in shown.shapes if isinstance(shape, Panel)]
    assert [panel.fill for panel in panels if panel.fill == FILL_AND_EDGE["neuron"][0]] != []
    for shape in shown.shapes:
        if isinstance(shape, Panel):
            assert 0 < shape.place.x and shape.place.x + shape.place.width < shown.width
            assert 0 < shape.place.y and shape.place.y + shape.place.height < shown.height


def test_words_fit_their_boxes():
    """The estimate of widths against the font that PNG files are drawn in."""
    from PIL import ImageFont

    font = ImageFont.load_default(100)
    for words in (
        "Convolution, 64 filters, 7x7, stride 2, pad 3",
        "32x64x112x112",
        "9.47 k parameters, 3.78 G",
    ):
        assert 0.97 < text_width(words, 100) / font.getlength(words) < 1.1
    assert text_width("ip", NAME, bold=True) > text_width("ip", NAME)


def test_svg_is_xml_with_all_words():
    content = picture(net(SMALL), "svg", direction="LR", notes={"ip": ["64x3"]})
    root = ElementTree.fromstring(content)
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert words[0] == "small <net>" and "64x3" in words
    assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) == 3
    strange = svg(scene(diagram(net('name: "a\\000b" layer { name: "&" type: "Input" }'))))
    assert ElementTree.fromstring(strange) is not None


def test_png_shows_the_colours(monkeypatch):
    from PIL import Image

    whole = scene(diagram(net(SMALL)))
    picture_of = Image.open(io.BytesIO(png(whole)))
    assert picture_of.size == (round(2 * whole.width), round(2 * whole.height))
    colours = {"#{:02x}{:02x}{:02x}".format(*rgb) for _, rgb in picture_of.getcolors(1 << 16)}
    assert {FILL_AND_EDGE[kind][0] for kind in ("source", "linear", "neuron", "loss")} <= colours
    monkeypatch.setattr("minicaffe.drawing.png.BAND", 37)  # drawn in narrow bands it is the same
    assert Image.open(io.BytesIO(png(whole))).tobytes() == picture_of.tobytes()
    monkeypatch.setattr("minicaffe.drawing.png.MOST_PIXELS", 10_000)
    small = Image.open(io.BytesIO(png(whole)))
    assert small.width * small.height <= 11_000


def test_png_draws_letters_beyond_ascii_on_one_line():
    """As tofu where no font has them; never on the lines below."""
    named = 'layer {{ name: "{}" type: "ReLU" bottom: "x" top: "y" }}'
    one, other = (png(scene(diagram(net(named.format(name))))) for name in ("\u00e9\\001", "\u00e9\\n"))
    assert one == other


def test_an_empty_net():
    assert picture(NetParameter(), "svg").count(b"<text") == 1 and picture(NetParameter(), "png")


def test_mistakes(tmp_path):
    with pytest.raises(ConfigError, match="cannot draw 'gif'; hint: formats: svg, png"):
        picture(NetParameter(), "gif")
    with pytest.raises(ConfigError, match="no direction 'TD'; hint: known: BT, LR"):
        picture(NetParameter(), "svg", direction="TD")
    with pytest.raises(ConfigError, match=r"cannot draw net\.gif; hint: the name must end in \.svg or \.png"):
        form_of("net.gif")
    with pytest.raises(DataError, match=r"cannot write .*: No such file or directory"):
        write(str(tmp_path / "none" / "net.svg"), b"")
    assert form_of("A.PNG") == "png"
