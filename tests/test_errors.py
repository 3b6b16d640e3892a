"""An error knows where it happened, as facts that others read and as the text that users see."""

from __future__ import annotations

import pytest

from minicaffe.errors import MiniCaffeError, Place, ShapeError, in_layer, locate
from minicaffe.proto.schema import LayerParameter

POOL = LayerParameter(name="pool1", type="Pooling")


@pytest.mark.parametrize(
    "place, text",
    [
        (Place("blob 2"), "blob 2"),
        (Place.of(POOL), "layer 'pool1' (Pooling)"),
        (Place.of(POOL, "parameter 0"), "layer 'pool1' (Pooling), parameter 0"),
        (Place(layer="pool1"), "layer 'pool1'"),
        (Place(layer=""), "layer ''"),
        (Place.of(LayerParameter(name="it's")), 'layer "it\'s" ()'),
        (Place(file="net.prototxt"), "net.prototxt"),
        (Place(file="net.prototxt", line=3), "net.prototxt:3"),
        (Place(file="net.prototxt", line=3, column=7), "net.prototxt:3:7"),
    ],
)
def test_a_place_as_users_see_it(place, text):
    assert str(place) == text


def test_an_error_gathers_places_on_its_way_out():
    with pytest.raises(MiniCaffeError) as caught, locate(Place(file="net.prototxt")), in_layer(POOL):
        with locate(lambda: "top 0"):
            raise ShapeError("too small", hint="pad it")
    assert caught.value.places == [Place(file="net.prototxt"), Place.of(POOL), Place("top 0")]
    assert str(caught.value) == "net.prototxt: layer 'pool1' (Pooling): top 0: too small; hint: pad it"


def test_a_place_is_made_only_when_it_is_asked_for():
    with locate(lambda: pytest.fail("nothing went wrong")):
        pass
