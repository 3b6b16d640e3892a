"""Files of earlier schemas."""

import pytest

from minicaffe.errors import ConfigError
from minicaffe.proto import text, upgrade
from minicaffe.proto.schema import NetParameter, SolverParameter


def net(source: str) -> NetParameter:
    return text.parse(source, NetParameter)


@pytest.mark.parametrize(
    "shape",
    ["input_shape { dim: 1 dim: 2 dim: 3 dim: 4 }", "input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4"],
)
def test_inputs_become_a_layer_in_front(shape):
    old = net(f'name: "n" input: "data" {shape} layer {{ name: "a" }}')
    upgrade.upgrade_net(old)
    new = """name: "n"
        layer { name: "input" type: "Input" top: "data"
                input_param { shape { dim: 1 dim: 2 dim: 3 dim: 4 } } }
        layer { name: "a" }"""
    assert old == net(new)


def test_inputs_without_shapes_are_dropped():
    old = net('input: "data" layer { name: "a" }')
    upgrade.upgrade_net(old)
    assert old == net('layer { name: "a" }')


def test_two_inputs_need_two_shapes():
    with pytest.raises(ConfigError, match="3 inputs but 2 input shapes"):
        upgrade.upgrade_net(
            net('input: "a" input: "b" input: "c" input_shape { dim: 1 } input_shape { dim: 2 }')
        )


@pytest.mark.parametrize("old, new", list(enumerate(upgrade.SOLVER_TYPES)))
def test_solver_type(old, new):
    solver = text.parse(f"solver_type: {old}", SolverParameter)
    upgrade.upgrade_solver(solver)
    assert solver.type == new and not solver.HasField("solver_type")


def test_both_solver_types_are_refused():
    with pytest.raises(ConfigError, match="both solver_type and type"):
        upgrade.upgrade_solver(text.parse('solver_type: ADAM type: "Adam"', SolverParameter))


def test_nets_inside_a_solver_are_upgraded():
    solver = text.parse('net_param { input: "x" input_shape { dim: 1 } }', SolverParameter)
    upgrade.upgrade_solver(solver)
    assert solver.net_param.layer[0].type == "Input"


def test_default_snapshot_prefix(tmp_path, monkeypatch):
    path = tmp_path / "my_solver.prototxt"
    path.write_text("")
    assert upgrade.read_solver(path).snapshot_prefix == str(tmp_path / "my_solver")
    path.write_text(f'snapshot_prefix: "{tmp_path}"')
    assert upgrade.read_solver(path).snapshot_prefix == str(tmp_path / "my_solver")


def test_layers_of_the_first_schemas_say_what_to_do():
    with pytest.raises(ConfigError, match=r"2 `layers` entries.*upgrade_net_proto_text"):
        upgrade.upgrade_net(net("layers { } layers { }"))
