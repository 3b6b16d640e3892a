"""Python: layers written for pycaffe run unchanged."""

import importlib
import sys

import numpy as np
import pytest

from minicaffe.errors import ConfigError, ShapeError, UserCodeError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.devices import CUDA, each_device, make_device
from ..support.laws import Case, Rig, check_forward, check_gradient


def layer(name: str, param_str: str = "", module: str = "tests.support.python_layers") -> str:
    return f'type: "Python" python_param {{ module: "{module}" layer: "{name}" param_str: \'{param_str}\' }}'


def net(*lines: str, **options) -> Net:
    return Net(text.parse("\n".join(lines), NetParameter), seed=1, **{"phase": "TRAIN", **options})


CASES = [
    Case(layer("Twice"), ((2, 3),)),
    Case(layer("Distance"), ((4, 3), (4, 3)), in_place=False),
    Case(layer("Affine", '{"a": 3, "b": 1}'), ((2, 3, 2),), in_place=False),
]


@each_device
def test_formula(device):
    check_forward(CASES[0], device, lambda x: 2 * x)
    check_gradient(CASES[0], device)
    check_forward(CASES[1], device, lambda a, b: [np.array([((a - b) ** 2).sum() / 8])])
    check_gradient(CASES[1], device)
    check_forward(CASES[2], device, lambda x, a, b: a * x + b)
    check_gradient(CASES[2], device)


def test_parameters_start_as_setup_left_them():
    made = net(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 } } }',
        f'layer {{ name: "l" bottom: "x" top: "y" {layer("Affine", """{"a": 3, "b": 1}""")} }}',
    )
    np.testing.assert_array_equal(made.forward(x=[1, 2])["y"], [4, 7])
    assert [p.data.item() for p in made.params["l"]] == [3, 1]


@pytest.mark.parametrize("keep", ["all", "needed"])
@pytest.mark.parametrize("name", ["cpu", *CUDA])
def test_a_data_layer_gives_every_batch_another_shape(keep, name):
    made = net(
        f'layer {{ name: "data" top: "x" {layer("Rows", "[2, 5, 1, 7, 3]")} }}',
        'layer { name: "split" type: "Power" bottom: "x" top: "a" power_param { scale: 2 } }',
        'layer { name: "other" type: "Power" bottom: "x" top: "b" power_param { shift: 1 } }',
        'layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" top: "y" }',
        keep=keep,
        device=make_device(name, np.float32),
    )
    for count in (2, 5, 1, 7, 3, 2):
        x = np.arange(count * 3, dtype=np.float32).reshape(count, 3)
        np.testing.assert_array_equal(made.forward()["y"], 3 * x + 1)


@pytest.mark.parametrize("keep", ["all", "needed"])
@pytest.mark.parametrize("name", ["cpu", *CUDA])
def test_a_shape_that_forward_knows(keep, name):
    """It grows beyond what was planned in the middle of a pass; what came before stays."""
    made = net(
        "force_backward: true",
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 4 dim: 3 } } }',
        'layer { name: "twice" type: "Power" bottom: "x" top: "t" power_param { scale: 2 } }',
        f'layer {{ name: "some" bottom: "t" top: "s" {layer("Positive")} }}',
        'layer { name: "y" type: "Power" bottom: "s" top: "y" power_param { power: 2 } loss_weight: 1 }',
        keep=keep,
        device=make_device(name, np.float32),
    )
    rng = np.random.default_rng(2)
    for count in (4, 9, 2):
        x = rng.standard_normal((count, 3)).astype(np.float32)
        made.clear_param_diffs()
        kept = x.sum(axis=1) > 0
        np.testing.assert_allclose(made.forward(x=x)["y"], (2 * x[kept]) ** 2, rtol=1e-6)
        made.backward()
        if keep == "all":
            wanted = np.where(kept[:, None], 8 * x, 0)
            np.testing.assert_allclose(made.device.get(made.blobs["x"].diff), wanted, rtol=1e-5)


@pytest.mark.parametrize(("phase", "value"), [("TRAIN", 10), ("TEST", 20)])
def test_phase(phase, value):
    assert net(f'layer {{ name: "p" top: "y" {layer("Phase")} }}', phase=phase).forward()["y"] == [value]


def test_a_diff_that_is_not_written_is_zero(cpu):
    """Positive writes the rows it kept; the others are not what the memory held."""
    rig = Rig(Case(layer("Positive"), ((3, 2),)), cpu)
    rig.forward([np.array([[1.0, 1], [-1, -1], [2, 2]])])
    rig.seed_tops()
    rig.bottom[0].diff[...] = np.nan
    (dx,), _ = rig.backward()
    assert not dx[1].any()


def test_the_legacy_axes_of_a_blob(cpu):
    view = Rig(Case(layer("Twice"), ((2, 3),)), cpu).layer.below[0]
    assert (view.num, view.channels, view.height, view.width, view.count) == (2, 3, 1, 1, 6)
    view = Rig(Case(layer("Twice"), ((1, 1, 1, 1, 2),)), cpu).layer.below[0]
    with pytest.raises(ShapeError, match="up to 4 axes"):
        view.num  # noqa: B018


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            layer("Twice", module="no_such_module"),
            "module 'no_such_module' cannot be found; hint: .*beside the prototxt.*PYTHONPATH",
        ),
        (layer("Twice", module="tests.support.none"), "module 'tests.support.none' cannot be found"),
        (layer("Twize"), "has no class 'Twize'; hint: .*Twice"),
        (layer("Twice", module=""), "module '' is not the name of a module"),
        (layer("Twice", module="a\\000b"), "is not the name of a module"),
        (layer("Twice", module="tests.support..x"), "is not the name of a module"),
        (layer("Twice", module="twice.py"), "module 'twice.py' is a path; .*; hint: module: \"twice\""),
        (layer("Twice", module="../a/twice.py"), 'is a path; expected .*; hint: module: "twice"'),
        (layer("Twice", module="a/twice"), 'is a path; expected .*; hint: module: "twice"'),
        (layer("path", module="os"), "'path' of module 'os' is no layer; hint: .*caffe.Layer"),
        (layer("PathLike", module="os"), "'PathLike' of module 'os' is no layer"),
        (layer("Twice", module="os"), "module 'os' has no class 'Twice'$"),
    ],
)
def test_errors(entry, message):
    with pytest.raises(ConfigError, match=message):
        net(f'layer {{ name: "p" top: "y" {entry} }}')


FAULTS = """import caffe
{head}
class L(caffe.Layer):
    def setup(self, bottom, top):
        self.net = None; {setup}
    def reshape(self, bottom, top):
        top[0].reshape(2); {reshape}
    def forward(self, bottom, top):
        top[0].data[...] = 1; {forward}
    def backward(self, top, propagate_down, bottom):
        {backward}
"""
PARTS = {"head": 2, "setup": 5, "reshape": 7, "forward": 9, "backward": 11}


@pytest.mark.parametrize(
    ("raising", "said"),
    [
        ("open('nowhere')", "FileNotFoundError: .*nowhere"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise type('Stop', (BaseException,), {})('enough')", "Stop: enough"),
        ("raise ValueError('one\\ntwo')", "ValueError: one two"),
        ("raise KeyError", "KeyError"),
        ("import numpy as np; np.zeros(2).reshape(3)", "ValueError: cannot reshape"),
        ("raise type('Bad', (Exception,), {'__str__': lambda self: 1 / 0})", "Bad"),
    ],
)
@pytest.mark.parametrize("part", PARTS)
def test_what_the_code_raises_is_an_error_of_its_layer(part, raising, said, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "faults", raising=False)
    importlib.invalidate_caches()
    (tmp_path / "faults.py").write_text(FAULTS.format_map(dict.fromkeys(PARTS, "pass") | {part: raising}))
    with pytest.raises(
        UserCodeError, match=rf"layer 'p' \(Python\): .*faults\.py:{PARTS[part]}: {said}"
    ) as error:
        made = net(
            "force_backward: true",
            'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 } } }',
            f'layer {{ name: "p" bottom: "x" top: "y" loss_weight: 1 {layer("L", module="faults")} }}',
        )
        made.forward()
        made.backward()
    assert error.value.__cause__ is not None and "\n" not in str(error.value)


def test_a_module_in_another_language_is_an_error_of_its_layer(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    (tmp_path / "python2.py").write_text('\nprint "two"\n')
    with pytest.raises(UserCodeError, match=r"python2\.py:2: SyntaxError: Missing parentheses"):
        net(f'layer {{ name: "p" top: "y" {layer("L", module="python2")} }}')


def test_an_interrupt_is_not_wrapped(monkeypatch):
    made = net(f'layer {{ name: "p" top: "y" {layer("Phase")} }}')

    def interrupted(bottom, top):
        raise KeyboardInterrupt

    monkeypatch.setattr(made.layers[0].user, "forward", interrupted)
    with pytest.raises(KeyboardInterrupt):
        made.forward()


def test_a_class_can_be_called_directly():
    made = net(f'layer {{ name: "p" top: "y" {layer("Phase")} }}')
    with pytest.raises(NotImplementedError, match="Phase has no backward"):
        made.layers[0].user.backward([], [], [])


def test_a_caffe_that_was_there_before_comes_back(monkeypatch):
    monkeypatch.delitem(sys.modules, "tests.support.python_layers", raising=False)
    monkeypatch.setitem(sys.modules, "caffe", other := object())
    net(f'layer {{ name: "p" top: "y" {layer("Phase")} }}')
    assert sys.modules["caffe"] is other


SOURCE = """
import caffe
import minicaffe_test_constant
class Constant(caffe.Layer):
    def setup(self, bottom, top): pass
    def reshape(self, bottom, top): top[0].reshape(1)
    def forward(self, bottom, top): top[0].data[...] = minicaffe_test_constant.VALUE
"""


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """A folder with a net, its layer, what that imports, and a module named like one of Python's own."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        entry = layer("Constant", module=f"minicaffe_test_{name}")
        folder.joinpath("net.prototxt").write_text(f'layer {{ name: "l" top: "y" {entry} }}')
    (tmp_path / "a" / "minicaffe_test_a.py").write_text(SOURCE)
    (tmp_path / "a" / "minicaffe_test_constant.py").write_text("VALUE = 7")
    (tmp_path / "a" / "json.py").write_text("raise SystemExit('shadowed')")
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("minicaffe_test_")]:
        del sys.modules[name]


def test_a_module_beside_the_prototxt(beside, monkeypatch):
    """It is found from any working folder, imports what lies beside it, and leaves sys.path as it was."""
    before = list(sys.path)
    monkeypatch.delitem(sys.modules, "json")
    for path in ("a/net.prototxt", beside / "a" / "net.prototxt"):
        assert Net(path, phase="TEST").forward()["y"] == [7]
    assert sys.path == before and importlib.import_module("json").dumps(1) == "1"
    with pytest.raises(ConfigError, match="'minicaffe_test_b' cannot be found"):
        Net("b/net.prototxt", phase="TEST")


def test_python_s_own_path_comes_first(beside, monkeypatch):
    (beside / "minicaffe_test_b.py").write_text(SOURCE.replace("_constant.VALUE", "_constant.OTHER"))
    (beside / "minicaffe_test_constant.py").write_text("OTHER = 9")
    (beside / "b" / "minicaffe_test_b.py").write_text("raise SystemExit('not this one')")
    monkeypatch.syspath_prepend(beside)
    assert Net("b/net.prototxt", phase="TEST").forward()["y"] == [9]


def test_two_modules_of_one_name(beside):
    """Python holds one module of a name; the second net must not run the first one's code."""
    Net("a/net.prototxt", phase="TEST")
    other = (beside / "a" / "net.prototxt").read_text()
    (beside / "b" / "net.prototxt").write_text(other)
    assert Net("b/net.prototxt", phase="TEST").forward()["y"] == [7]  # imported already, and the only one
    (beside / "b" / "minicaffe_test_a.py").write_text(SOURCE)
    with pytest.raises(ConfigError, match=r"b/minicaffe_test_a\.py has the name of .*a/minicaffe_test_a\.py"):
        Net("b/net.prototxt", phase="TEST")
