"""What must be said about a layer type beside what it computes: it is there, or is not, for a reason."""

from __future__ import annotations

import pytest

from minicaffe.convert.fold import FIELDS
from minicaffe.convert.onnx.rules import RULES
from minicaffe.layers import LAYERS, resolve
from tools.layer_snippets import SNIPPETS

from .support.devices import make_device
from .support.laws import Case, Rig
from .test_layers_catalogue import cases_of

UNKNOWN_WORK = {"Python": "what a user's code computes and reads is not known"}
NOT_FOLDED = {
    "BN": "in TEST a convolution does its work as it runs",
    "DenseBlock": "its first channels are what it reads, which no parameter of it could scale",
    "Embed": "no net puts a BatchNorm, Scale or Bias behind it",
    "CenterLoss": "nothing comes behind a loss",
    "InnerDistance": "no net puts a BatchNorm, Scale or Bias behind it",
    "LSTM": "it ends in products of gates",
    "Lstm": "it ends in products of gates",
    "MarginInnerProduct": "a softmax comes behind it",
    "Mul": "NumPy's broadcasting is not that of a Scale; no net puts one behind it",
    "Normalize": "only some of its forms have factors, and no net puts a Scale behind it",
    "Parameter": "it reads nothing that could be folded into it",
    "PReLU": "it bends: a factor below 0 would turn its sides round",
    "RNN": "it ends in tanh",
}


def missing(name: str, cases: list[Case]) -> list[str]:
    """What is said nowhere, or twice, about layer type `name`, used as in these cases, and where it goes."""
    rigs = [Rig(case, make_device("python")) for case in cases]
    return [*_of_work(name, rigs), *_of_parameters(name, rigs), *_of_conversion(name), *_of_reference(name)]


def _of_work(name: str, rigs: list[Rig]):
    known = [resolve(name).operations] if not rigs else []
    for rig in rigs:
        blobs, wanted = (rig.bottom, rig.top), (rig.propagate, rig.learned)
        known += [rig.layer.forward_operations(*blobs), rig.layer.backward_operations(*blobs, *wanted)]
        known += [rig.layer.forward_traffic(*blobs), rig.layer.backward_traffic(*blobs, *wanted)]
    if (None in known) != (name in UNKNOWN_WORK):
        yield "operations: how many multiply-adds an element takes (core/workload.py)"


def _of_parameters(name: str, rigs: list[Rig]):
    kind = resolve(name)
    if name != "Python" and any(rig.layer.params for rig in rigs) != kind.has_params:
        yield "has_params: whether it has parameters (core/layer.py)"
    if kind.has_params != ((name in FIELDS) + (name in NOT_FOLDED) == 1):
        yield "folding: FIELDS of convert/fold.py, or a reason in NOT_FOLDED here"


def _of_conversion(name: str):
    kind = resolve(name)
    if sum([name in RULES, bool(kind.not_in_onnx), kind.measures, kind.source]) != 1:
        yield "ONNX: a rule in convert/onnx/rules, or not_in_onnx, the reason why not (core/layer.py)"


def _of_reference(name: str):
    def takes_one(count) -> bool:
        low, high = count if isinstance(count, tuple) else (count, count)
        return low <= 1 and (high is None or high >= 1)

    kind = resolve(name)
    if name not in SNIPPETS and not (takes_one(kind.bottoms) and takes_one(kind.tops)):
        yield "an example in tools/layer_snippets.py: it is not used with one bottom and one top"


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_everything_is_said(name):
    assert not missing(name, cases_of(name))


def test_no_reason_is_idle():
    assert {*UNKNOWN_WORK, *NOT_FOLDED, *SNIPPETS, *RULES} <= set(LAYERS)


@pytest.mark.parametrize(
    "fact, value, said",
    [
        ("operations", None, "operations: how many"),
        ("has_params", True, "has_params: whether"),
        ("has_params", True, "folding: FIELDS"),
        ("not_in_onnx", "it is odd", "ONNX: a rule"),
        ("bottoms", 2, "an example in"),
    ],
)
def test_what_is_missing_is_named(fact, value, said, monkeypatch):
    monkeypatch.setattr(resolve("TanH"), fact, value)
    cases = cases_of("TanH") if fact != "bottoms" else []
    assert any(what.startswith(said) for what in missing("TanH", cases))
