"""HDF5 files as numbered batches."""

import itertools

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.data.hdf5 import HDF5Batches
from minicaffe.errors import DataError


def write(folder, files: list[dict]) -> str:
    """HDF5 files with these datasets, and the list of them; returns its path."""
    paths = []
    for i, file in enumerate(files):
        paths.append(str(folder / f"{i}.h5"))
        with h5py.File(paths[-1], "w") as h5:
            for name, value in file.items():
                h5[name] = value
    (folder / "list.txt").write_text("\n".join(paths) + "\n")
    return str(folder / "list.txt")


def numbered(rows: list[int]) -> list[dict]:
    """Files of so many rows; every row of `x` is its number over all files."""
    starts = np.cumsum([0, *rows])
    return [{"x": np.arange(a, b)} for a, b in itertools.pairwise(starts)]


def drawn(batches: HDF5Batches, count: int, seed: int = 0) -> np.ndarray:
    out = np.empty((count, batches.batch), np.float32)
    for number in range(count):
        batches(number, [out[number]], seed)
    return out


rows = st.lists(st.integers(1, 7), min_size=1, max_size=4)


@given(rows=rows, batch=st.integers(1, 12))
def test_rows_come_file_after_file_and_wrap(tmp_path, rows, batch):
    batches = HDF5Batches(write(tmp_path, numbered(rows)), ["x"], batch)
    np.testing.assert_array_equal(drawn(batches, 5).ravel(), np.arange(5 * batch) % sum(rows))


@given(rows=rows, batch=st.integers(1, 12), seed=st.integers(0, 2**64))
def test_shuffled_epochs_hold_every_row_once_and_do_not_mix_files(tmp_path, rows, batch, seed):
    batches = HDF5Batches(write(tmp_path, numbered(rows)), ["x"], batch, shuffle=True)
    total = sum(rows)
    sequence = drawn(batches, -(-3 * total // batch), seed).ravel()[: 3 * total].reshape(3, total)
    files = np.repeat(np.arange(len(rows)), rows)
    for epoch in sequence.astype(int):
        assert sorted(epoch) == list(range(total))
        assert np.count_nonzero(np.diff(files[epoch])) == len(rows) - 1  # each file in one piece


def test_shuffles_differ_from_epoch_to_epoch_and_seed_to_seed(tmp_path):
    batches = HDF5Batches(write(tmp_path, numbered([20, 20, 20])), ["x"], 60, shuffle=True)
    one, other = drawn(batches, 2, seed=1), drawn(batches, 1, seed=2)
    assert (one[0] != one[1]).any() and (one[0] != other[0]).any()
    inside = [epoch[(20 <= epoch) & (epoch < 40)] for epoch in one]
    assert (inside[0] != inside[1]).any()


@given(rows=rows, batch=st.integers(1, 12), shuffle=st.booleans(), number=st.integers(0, 1000))
def test_a_batch_does_not_depend_on_those_before(tmp_path, rows, batch, shuffle, number):
    source = write(tmp_path, numbered(rows))
    alone, after = (HDF5Batches(source, ["x"], batch, shuffle=shuffle) for _ in range(2))
    drawn(after, 3)
    results = [np.empty(batch, np.float32) for _ in range(2)]
    alone(number, results[:1], 5)
    after(number, results[1:], 5)
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("shuffle", [False, True])
def test_processes_share_the_sequence(tmp_path, shuffle):
    source = write(tmp_path, numbered([5, 3]))
    together = drawn(HDF5Batches(source, ["x"], 6, shuffle=shuffle), 4)
    for rank in range(3):
        batches = HDF5Batches(source, ["x"], 2, shuffle=shuffle, rank=rank, size=3)
        np.testing.assert_array_equal(drawn(batches, 4), together[:, rank::3])


@pytest.mark.parametrize("kind", ["u1", "i1", "<i4", ">i4", "i8", "f2", "f4", "f8", ">f8"])
def test_every_number_is_converted(tmp_path, kind):
    value = np.arange(6).reshape(3, 2).astype(kind)
    batches = HDF5Batches(write(tmp_path, [{"x": value}]), ["x"], 3, dtype=np.float64)
    out = np.empty((3, 2))
    batches(0, [out])
    np.testing.assert_array_equal(out, value)


def test_any_rank_several_names_and_names_with_a_slash(tmp_path):
    file = {"x": np.zeros((4, 2, 1, 3, 2)), "group/y": np.arange(4), "unused": np.zeros(3)}
    batches = HDF5Batches(write(tmp_path, [file]), ["group/y", "x"], 3)
    assert batches.shapes == [(), (2, 1, 3, 2)]
    out = [np.empty(3, np.float32), np.empty((3, 2, 1, 3, 2), np.float32)]
    batches(1, out)
    assert out[0].tolist() == [3, 0, 1]


def test_one_file_is_in_memory_at_a_time(tmp_path):
    batches = HDF5Batches(write(tmp_path, numbered([4, 4])), ["x"], 3)
    drawn(batches, 4)
    assert len(batches._loaded[1]) == 1 and batches._loaded[1][0].shape == (4,)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([{"y": [1]}], "no dataset 'x'; it has y; hint: the tops"),
        ([{}], "no dataset 'x'; it has none"),
        ([{"x/inside": [1]}], "no dataset 'x'"),
        ([{"x": 1.0}], r"dataset 'x' must have rows \(axis 0\); got shape \(\)"),
        ([{"x": np.zeros((0, 2))}], r"must have rows \(axis 0\); got shape \(0, 2\)"),
        ([{"x": np.array([b"word"])}], r"dataset 'x' must hold integers or floats; got \|S4"),
        ([{"x": np.array([True])}], "must hold integers or floats; got bool"),
        ([{"x": np.array([1j])}], "must hold integers or floats; got complex128"),
        (
            [{"x": [[1]]}, {"x": [[1, 2]]}],
            r"1.h5: its rows of x have the shapes \[\(2,\)\]; .*0.h5 \[\(1,\)\]",
        ),
    ],
)
def test_files_of_another_form_are_refused(tmp_path, files, message):
    with pytest.raises(DataError, match=message):
        HDF5Batches(write(tmp_path, files), ["x"], 1)


def test_datasets_of_different_length_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"0.h5: all datasets must have equally many rows; got x 3, y 2"):
        HDF5Batches(write(tmp_path, [{"x": np.zeros(3), "y": np.zeros(2)}]), ["x", "y"], 1)


def test_lists_that_cannot_be_used(tmp_path):
    path = tmp_path / "list.txt"
    for content, message in (
        (b" \n", "list.txt: expected paths to HDF5 files; the file is empty"),
        (b"\x89HDF\xff", "expected a text file of paths to HDF5 files; got binary data; hint"),
        (b"missing.h5", "missing.h5: no such file; hint: paths in the list are relative"),
        (b"%b" % str(path).encode(), r"list.txt: not a whole HDF5 file"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=message):
            HDF5Batches(str(path), ["x"], 1)
    with pytest.raises(DataError, match=r"cannot read .*nothing: No such file"):
        HDF5Batches(str(tmp_path / "nothing"), ["x"], 1)


def test_paths_are_separated_by_any_white_space(tmp_path, monkeypatch):
    write(tmp_path, numbered([1, 1, 1]))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.txt").write_text("2.h5\t0.h5\r\n\n1.h5")
    np.testing.assert_array_equal(drawn(HDF5Batches("list.txt", ["x"], 3), 1), [[2, 0, 1]])


# -- files that lead elsewhere, or to more than they hold


def external(file, elsewhere):
    file.create_dataset("x", (4,), "u1", external=[(str(elsewhere), 0, 4)])


def virtual(file, elsewhere):
    layout = h5py.VirtualLayout((4,), "u1")
    layout[:] = h5py.VirtualSource(str(elsewhere), "x", (4,))
    file.create_virtual_dataset("x", layout)


def circle(file, elsewhere):
    file["x"], file["y"] = h5py.SoftLink("/y"), h5py.SoftLink("/x")


def outward(file, elsewhere):
    file["x"] = h5py.SoftLink("/way/x")
    file["way"] = h5py.ExternalLink(str(elsewhere), "/")


HOSTILE = {
    "external storage": (external, "the values of '/x' lie in other files"),
    "a virtual dataset": (virtual, "the values of '/x' lie in other files"),
    "an external link": (
        lambda file, elsewhere: file.__setitem__("x", h5py.ExternalLink(str(elsewhere), "/x")),
        "'x' leads into another file, which is not followed",
    ),
    "a soft link to an external link": (outward, "'x' leads into another file"),
    "links in circles": (circle, "'x': links that lead in circles"),
    "chunks that were never written": (
        lambda file, _: file.create_dataset("x", (10**10,), "f4", chunks=(1000,)),
        "80000000000 bytes of memory for a file of .*--largest_file of train",
    ),
    "a chunk larger than the data": (
        lambda file, _: file.create_dataset("x", (4,), "f4", chunks=(1 << 29,), maxshape=(None,)),
        "2147483648 bytes of memory for a file of",
    ),
    "more in the net's type than in the file's": (
        lambda file, _: file.create_dataset("x", (1 << 28, 1), "u1", chunks=(1000, 1)),
        "2147483648 bytes of memory for a file of",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_nothing_is_read_from_elsewhere_or_out_of_nothing(tmp_path, kind):
    make, message = HOSTILE[kind]
    elsewhere = tmp_path / "secret.h5"
    with h5py.File(elsewhere, "w") as file:
        file["x"] = np.arange(4, dtype=np.uint8)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        make(file, elsewhere)
    (tmp_path / "list.txt").write_text(f"{tmp_path}/x.h5")
    with pytest.raises(DataError, match=f"x.h5: {message}"):
        HDF5Batches(str(tmp_path / "list.txt"), ["x"], 1, dtype=np.float64)


def test_soft_links_are_followed_in_the_file(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["group/values"] = np.arange(3)
        file["group/alias"] = h5py.SoftLink("values")
        file["x"] = h5py.SoftLink("/group/./alias")
    (tmp_path / "list.txt").write_text(f"{tmp_path}/x.h5")
    np.testing.assert_array_equal(drawn(HDF5Batches(str(tmp_path / "list.txt"), ["x"], 3), 1), [[0, 1, 2]])


def test_a_limit_that_was_raised(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("x", (10_000,), "f4", chunks=(1000,), fillvalue=7)
    (tmp_path / "list.txt").write_text(f"{tmp_path}/x.h5")
    with pytest.raises(DataError, match=r"40000 bytes of memory .* 39999 is the most"):
        HDF5Batches(str(tmp_path / "list.txt"), ["x"], 1, largest_bytes=39_999)
    assert drawn(HDF5Batches(str(tmp_path / "list.txt"), ["x"], 3, largest_bytes=40_000), 1).tolist() == [
        [7, 7, 7]
    ]
