"""What a prototxt from the page may name."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from minicaffe.errors import ConfigError
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter, SolverParameter
from minicaffe.studio import screen


class Bounds(NamedTuple):
    folder: Path
    scratch: Path
    roots: tuple[Path, ...]
    allow_python_layers: bool = False


@pytest.fixture
def bounds(tmp_path):
    for name in ("work/.studio", "data", "secret"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "secret" / "list.txt").write_text("a 0\n")
    (tmp_path / "work" / ".studio" / "token").write_text("t")
    return Bounds(tmp_path / "work", tmp_path / "work" / ".studio", (tmp_path / "data",))


def net(body: str) -> NetParameter:
    return text.parse(body, NetParameter)


def data(source) -> NetParameter:
    return net(f'layer {{ name: "d" type: "ImageData" top: "x" image_data_param {{ source: "{source}" }} }}')


def test_every_text_of_the_schema_is_a_word_or_screened():
    """A new field that holds text is taken for a file; WORDS holds no field that is not there."""
    found, seen = set(), set()

    def walk(kind):
        if kind.full_name not in seen:
            seen.add(kind.full_name)
            for field in kind.fields:
                if field.message_type:
                    walk(field.message_type)
                elif field.type == field.TYPE_STRING:
                    found.add(f"{kind.name}.{field.name}")

    walk(SolverParameter.DESCRIPTOR)
    assert found >= screen.WORDS | screen.WRITTEN
    # Whoever adds a text to the schema decides here, and in screen.py, what it is.
    named = {key for key in found - screen.WORDS if key.split(".")[0] not in screen.NAMED}
    file_like = ("source", "file", "file_name", "folder", "dir", "net", "prefix", "weights", "directory")
    others = {key for key in named if not key.endswith(file_like)}
    assert others == {
        "AugmentationParameter.write_augmented",
        "AugmentationParameter.write_mean",
        "RegionLossParameter.class_map",
        "RegionLossParameter.softmax_tree",
        "TRTParameter.calibrator",
        "TRTParameter.deploy",
        "TRTParameter.model",
        "VideoDataParameter.name_pattern",
        "WriterParameter.suffix",
    }


def test_files_inside_and_outside(bounds, tmp_path):
    (tmp_path / "data" / "list.txt").write_text(f"{tmp_path}/data/a.png 0\n")
    screen.net(data(tmp_path / "data" / "list.txt"), bounds)
    screen.net(data(tmp_path / "work" / "none.txt"), bounds)
    for path in ("/etc/passwd", tmp_path / "secret/list.txt", tmp_path / "data/../secret/list.txt"):
        with pytest.raises(ConfigError, match=r"layer 'd'.*outside"):
            screen.net(data(path), bounds)


def test_the_token_is_closed(bounds):
    with pytest.raises(ConfigError, match="outside"):
        screen.net(data(bounds.scratch / "token"), bounds)


def test_links_are_followed(bounds, tmp_path):
    (tmp_path / "data" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(ConfigError, match="outside"):
        screen.net(data(tmp_path / "data" / "link" / "list.txt"), bounds)


@pytest.mark.parametrize("line", ["/etc/passwd 0", "{data}/../secret/a.png 0", "{data}X/a.png 0"])
def test_a_list_that_names_files_outside(bounds, tmp_path, line):
    (tmp_path / "data" / "list.txt").write_text(
        f"{tmp_path}/data/a.png 0\n" + line.format(data=tmp_path / "data") + "\n"
    )
    with pytest.raises(ConfigError, match=r"line 2 of .*list.txt names"):
        screen.net(data(tmp_path / "data" / "list.txt"), bounds)


def test_named_sets_and_mean_files(bounds):
    body = 'layer {{ name: "d" type: "Data" top: "x" data_param {{ source: "{}" backend: IDX }} {} }}'
    screen.net(net(body.format("digits/train[:90%]", "")), bounds)
    with pytest.raises(ConfigError, match=r"transform_param.mean_file: '/etc/mean' lies outside"):
        screen.net(net(body.format("digits/train", 'transform_param { mean_file: "/etc/mean" }')), bounds)


def test_what_is_written_stays_in_the_folder(bounds, tmp_path):
    body = 'layer {{ name: "o" type: "HDF5Output" bottom: "x" hdf5_output_param {{ file_name: "{}" }} }}'
    screen.net(net(body.format(tmp_path / "work" / "o.h5")), bounds)
    for path in (tmp_path / "data" / "o.h5", bounds.scratch / "token"):
        with pytest.raises(ConfigError, match="may be written"):
            screen.net(net(body.format(path)), bounds)


def test_python_layers(bounds):
    param = net('layer { name: "p" type: "Python" python_param { module: "os" layer: "system" } }')
    with pytest.raises(ConfigError, match=r"layer 'p'.*--allow-python-layers"):
        screen.net(param, bounds)
    screen.net(param, bounds._replace(allow_python_layers=True))


def test_a_net_of_old_form_is_screened(bounds):
    param = net('layers { name: "d" type: DATA top: "x" data_param { source: "/etc/db" } }')
    with pytest.raises(ConfigError, match="/etc/db"):
        screen.net(param, bounds)


def test_solvers(bounds, tmp_path):
    def solver(body: str) -> SolverParameter:
        return text.parse(body, SolverParameter)

    screen.solver(solver(f'base_lr: 1 snapshot_prefix: "{tmp_path}/work/run/s"'), bounds)
    for body in (
        'net: "/etc/net"',
        'snapshot_prefix: "/tmp/s"',
        f'weights: "{tmp_path}/work/a.caffemodel,/etc/b.caffemodel"',
        'net_param { layer { name: "p" type: "Python" } }',
        'test_net_param { layer { name: "d" type: "HDF5Data" hdf5_data_param { source: "/etc/l" } } }',
    ):
        with pytest.raises(ConfigError):
            screen.solver(solver(body), bounds)


def test_a_net_that_a_solver_names_is_screened(bounds, tmp_path):
    file = tmp_path / "work" / "net.prototxt"
    file.write_text('layer { name: "p" type: "Python" top: "x" }')
    with pytest.raises(ConfigError, match="Python"):
        screen.solver(text.parse(f'net: "{file}"', SolverParameter), bounds)
