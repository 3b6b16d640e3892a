"""A new layer is four things, and starts from green."""

from __future__ import annotations

import shutil

import pytest

from minicaffe.errors import ConfigError
from minicaffe.kernels import cuda
from minicaffe.kernels.registry import family
from minicaffe.layers import LAYERS
from tools import new_layer

from .. import test_layers_catalogue as catalogue
from ..support import laws
from ..support.added import added
from ..support.devices import make_device
from ..test_layer_facts import missing

NAME = "GentleSign"
KERNELS, LAYER, TEST = (
    "minicaffe/kernels/gentle_sign.py",
    "minicaffe/layers/neuron/gentle_sign.py",
    "tests/layers/test_gentle_sign.py",
)


@pytest.fixture
def checkout(tmp_path):
    """The folders that files go into, and the index."""
    for path in (KERNELS, LAYER, TEST, new_layer.INDEX):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(new_layer.ROOT / new_layer.INDEX, tmp_path / new_layer.INDEX)
    return tmp_path


def test_four_things_are_touched(checkout):
    """Class, kernel pair, test, and one line of the index."""
    before = (checkout / new_layer.INDEX).read_text().splitlines()
    written = new_layer.write(NAME, checkout)
    pair = [KERNELS, KERNELS.replace(".py", ".cu")]
    assert written == [*pair, LAYER, TEST, new_layer.INDEX]
    assert {str(p.relative_to(checkout)) for p in checkout.rglob("*") if p.is_file()} == set(written)
    after = (checkout / new_layer.INDEX).read_text().splitlines()
    line = f'    "{NAME}": "neuron.gentle_sign",'
    assert [one for one in after if one != line] == before
    at = after.index(line)
    assert '"FlowWarp"' in after[at - 1] and '"HashingLoss"' in after[at + 1]


def test_it_obeys_the_laws(checkout, monkeypatch):
    """Its loops interpreted, its CUDA half on the emulator; and nothing is left to be said about it."""
    new_layer.write(NAME, checkout)
    monkeypatch.setitem(LAYERS, NAME, "neuron.gentle_sign")
    monkeypatch.setattr(catalogue, "TESTS", (checkout / TEST).parent)
    with added(checkout, (KERNELS, LAYER, TEST), monkeypatch) as (kernels, _, test):
        catalogue.test_has_test_cases_and_docstring(NAME)
        assert missing(NAME, test.CASES) == []
        for spec in family(kernels).values():
            parameters = [(p.c_type, p.name) for p in spec.parameters]
            assert cuda.signatures(spec.source.read_text())[spec.name] == [*parameters, ("int", "n")]
        python, emulated = make_device("python"), make_device("cuda-emulated")
        for case in test.CASES:
            for device in (python, emulated):
                test.test_formula(device)
                laws.check_gradient(case, device)
                laws.check_repeatable(case, device)
            laws.check_propagate_down(case, python)
            laws.check_reshape(case, python)
            laws.check_in_place(case, python)
            laws.check_parity(case, python, emulated)
            laws.check_captured(case, emulated)


def test_files_are_named_as_those_that_are_there():
    """But for Lstm, whose file cannot be that of LSTM."""
    named = {name: module.rpartition(".")[2] for name, module in LAYERS.items() if name != "Lstm"}
    assert {name: new_layer.module_of(name) for name in named} == named


@pytest.mark.parametrize(
    "name, complaint",
    [
        ("ReLU", "layer type ReLU is there already"),
        ("hardSign", "cannot be a layer type"),
        ("Lambda", "cannot be a layer type"),
        ("../Sign", "cannot be a layer type"),
        ("Memory", r"minicaffe/kernels/memory\.py is there already"),
    ],
)
def test_names_that_cannot_be(name, complaint, checkout):
    (checkout / "minicaffe" / "kernels" / "memory.py").touch()
    with pytest.raises(ConfigError, match=complaint):
        new_layer.write(name, checkout)
    assert (checkout / new_layer.INDEX).read_text() == (new_layer.ROOT / new_layer.INDEX).read_text()
