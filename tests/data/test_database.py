"""LMDB databases: read in the order of keys, written whole or not at all."""

import gc
import os
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from minicaffe.data import database, datum
from minicaffe.data.database import Database, DatabaseWriter
from minicaffe.data.images import Channels
from minicaffe.data.lmdb_file import LmdbFile
from minicaffe.data.mean import mean_image
from minicaffe.errors import ConfigError, DataError

from .test_images import BGR, RGB, stored

lmdb = pytest.importorskip("lmdb")

COUNT = 23
IMAGES = np.arange(COUNT * 12).reshape(COUNT, 1, 4, 3).astype(np.uint8)


@pytest.fixture
def path(tmp_path):
    with DatabaseWriter(tmp_path / "db") as writer:
        for label, image in enumerate(IMAGES):
            writer.add(datum.from_array(image, label), f"{label % 7}.png")
    return tmp_path / "db"


def labels(path, order) -> list[int]:
    records, found = Database(path), []
    for index in order:
        image, label = records.read(index)
        np.testing.assert_array_equal(image, IMAGES[label])
        found.append(label)
    return found


def test_records_come_in_order(path):
    assert len(Database(path)) == COUNT
    assert labels(path, [*range(COUNT), *range(COUNT)]) == [*range(COUNT), *range(COUNT)]


def test_records_come_in_any_order(path):
    order = np.random.default_rng(0).integers(0, COUNT, 200).tolist()
    assert labels(path, order) == order
    assert labels(path, [5, 5, 6, 4, 0, 0, 22, 0]) == [5, 5, 6, 4, 0, 0, 22, 0]


def test_the_keys_of_convert_imageset(path):
    with lmdb.open(str(path), readonly=True, lock=False) as store, store.begin() as transaction:
        keys = list(transaction.cursor().iternext(values=False))
    assert keys[:2] == [b"00000000_0.png", b"00000001_1.png"] and len(keys) == COUNT
    assert sorted(os.listdir(path)) == ["data.mdb"]


def test_readers_share_what_is_open(path):
    one, two = Database(path), Database(path)
    assert [reader.read(index)[1] for index in (0, 1) for reader in (one, two)] == [0, 0, 1, 1]
    del one
    gc.collect()
    assert two.read(2)[1] == 2


def test_colours_are_chosen_by_the_reader(tmp_path):
    with DatabaseWriter(tmp_path / "db") as writer:
        writer.add(datum.from_encoded(stored(RGB), 9))
    np.testing.assert_array_equal(Database(tmp_path / "db").read(0)[0], BGR)
    assert Database(tmp_path / "db", Channels.GRAY).read(0)[0].shape == (1, 6, 5)


def test_a_database_larger_than_its_first_room(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (3, 500, 1000), np.uint8)
    with DatabaseWriter(tmp_path / "db") as writer:
        for label in range(60):  # 90 MB in one transaction
            writer.add(datum.from_array(image, label))
    records = Database(tmp_path / "db")
    assert [records.read(index)[1] for index in range(60)] == list(range(60))


def test_many_transactions(tmp_path):
    with DatabaseWriter(tmp_path / "db") as writer:
        for label in range(2 * database.GROUP + 5):
            writer.add(datum.from_array(IMAGES[0], label))
    assert len(Database(tmp_path / "db")) == 2 * database.GROUP + 5


# -- writing is all or nothing


def test_an_error_leaves_nothing(tmp_path):
    with pytest.raises(DataError, match="uint8 or float32"), DatabaseWriter(tmp_path / "db") as writer:
        writer.add(datum.from_array(IMAGES[0]))
        writer.add(datum.from_array(IMAGES[0].astype(int)))
    assert os.listdir(tmp_path) == []


def test_what_exists_is_not_written_over(path):
    with pytest.raises(DataError, match="db: exists already; hint: remove it"):
        DatabaseWriter(path)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="none/db: cannot be written: No such file"):
        DatabaseWriter(tmp_path / "none" / "db").__enter__()


def test_a_name_taken_meanwhile(tmp_path):
    with pytest.raises(DataError, match="db: cannot be written: Directory not empty"):
        with DatabaseWriter(tmp_path / "db") as writer:
            writer.add(datum.from_array(IMAGES[0]))
            (tmp_path / "db").mkdir()
            (tmp_path / "db" / "other").touch()
    assert os.listdir(tmp_path) == ["db"] and os.listdir(tmp_path / "db") == ["other"]


def test_a_full_disk(tmp_path):
    def sync(force):
        raise lmdb.DiskError("No space left on device")

    with pytest.raises(DataError, match="db: cannot be written: No space left"):
        with DatabaseWriter(tmp_path / "db") as writer:
            store = writer._store
            writer._store = SimpleNamespace(
                begin=store.begin, close=store.close, max_key_size=store.max_key_size, sync=sync
            )
            writer.add(datum.from_array(IMAGES[0]))
    assert os.listdir(tmp_path) == []


def test_keys_that_do_not_fit(tmp_path):
    with pytest.raises(DataError, match="a key may have 511 bytes; got 609"):
        with DatabaseWriter(tmp_path / "db") as writer:
            writer.add(datum.from_array(IMAGES[0]), "x" * 600)
    with pytest.raises(DataError, match="more than 10 records do not sort by 1 digits"):
        with DatabaseWriter(tmp_path / "db", digits=1) as writer:
            for _ in range(11):
                writer.add(datum.from_array(IMAGES[0]))


# -- what cannot be read


def test_no_database(tmp_path):
    with pytest.raises(DataError, match=r"none: no LMDB database: .* with data.mdb; hint: check the path"):
        Database(tmp_path / "none")
    with pytest.raises(DataError, match=r"hint: data_param.source names the folder of the database"):
        Database(tmp_path)
    (tmp_path / "CURRENT").write_text("MANIFEST-000001")
    with pytest.raises(DataError, match="hint: this is a LevelDB; make an LMDB"):
        Database(tmp_path)


def test_an_empty_database(tmp_path):
    with DatabaseWriter(tmp_path / "db"):
        pass
    with pytest.raises(DataError, match="db: the database holds no records"):
        Database(tmp_path / "db")


def test_files_cut_short_and_damaged(path):
    whole = (path / "data.mdb").read_bytes()
    messages = {
        0: "not a readable LMDB database",
        100: "not a readable LMDB database: it has 100 bytes; hint",
        8192: "must have .* bytes; got 8192; hint",
    }
    for size, message in messages.items():
        (path / "data.mdb").unlink()
        (path / "data.mdb").write_bytes(whole[:size])
        with pytest.raises(DataError, match=f"db: .*{message}"):
            Database(path)


def test_pages_that_are_damaged(path):
    whole = bytearray((path / "data.mdb").read_bytes())
    (path / "data.mdb").unlink()
    (path / "data.mdb").write_bytes(whole[:8192] + b"\xff" * (len(whole) - 8192))
    records = Database(path)
    for index in (0, 1):
        with pytest.raises(DataError, match=r"the database is damaged: .*; hint: fetch or make it again"):
            records.read(index)
        assert records.place(index) == f"{path}: record {index}"
    with pytest.raises(DataError, match=f"{path}: record 0: the database is damaged"):
        mean_image(records)


def test_a_file_that_another_program_cuts_short(path):
    """A mapped file would end the process."""
    records = Database(path)
    os.truncate(path / "data.mdb", 8192)
    with pytest.raises(DataError, match=r"data.mdb: the file ends at byte 8192; it had .* bytes when"):
        records.read(0)


def test_values_in_and_beside_leaves_through_levels_of_branches(tmp_path):
    """As LMDB lists them."""
    rng = np.random.default_rng(0)
    with DatabaseWriter(tmp_path / "db") as writer:
        for label in range(3000):
            image = rng.integers(0, 256, (1, 1, (3, 900, 5000, 13000)[label % 4]), np.uint8)
            writer.add(datum.from_array(image, label), "x" * (label % 400))
    records = LmdbFile(tmp_path / "db" / "data.mdb")
    with lmdb.open(str(tmp_path / "db"), readonly=True, lock=False) as store, store.begin() as transaction:
        assert store.stat()["depth"] > 2 and records.entries == store.stat()["entries"]
        for index, (key, value) in enumerate(transaction.cursor()):
            assert (records.key(index), records.value(index)) == (key, value)
    for index in (2999, 17, 1500, 1501, 0):
        assert datum.parse(records.value(index)).label == index


def test_databases_of_other_kinds(tmp_path):
    with lmdb.open(str(tmp_path), max_dbs=1) as store:
        store.open_db(b"inner")
    with pytest.raises(DataError, match="several values for a key, or with databases in it"):
        Database(tmp_path).read(0)
    data = bytearray((tmp_path / "data.mdb").read_bytes())
    for start, message in ((data[4:], "made by a 32-bit program"), (b"\0" * 9000, "it is of another kind")):
        (tmp_path / "data.mdb").write_bytes(start)
        with pytest.raises(DataError, match=f"not a readable LMDB database: .*{message}"):
            Database(tmp_path)


# A tree that leads back to itself, or into nothing, by the bytes that are set at a place in a page.
DAMAGES = {
    "a root beyond the end": (0, "root", (99).to_bytes(8, "little"), "page 99 lies beyond the last"),
    "more records than fit": (0, "entries", b"\xff" * 8, "its header says"),
    "a record too many": (0, "entries", (COUNT + 1).to_bytes(8, "little"), f"it ends before record {COUNT}"),
    "deeper than it is": (0, "depth", b"\2\0", "holds no branch of the tree"),
    "a depth without end": (0, "depth", b"\xff\xff", "its header says"),
    "a free page": (-1, 10, b"\0\0", "holds no leaf of the tree"),
    "two bytes of a page header": (-1, 12, b"\xff\xff", "holds no leaf of the tree"),
    "a node outside": (-1, 16, b"\xff\x7f", "nodes that lie outside it"),
    "a value beyond the page": (-1, "node", b"\xff\xff\0\0", "a record that reaches beyond it"),
    "a value that lies nowhere": (-1, "node", b"\x01\0\0\0\1\0", "a value of 1 bytes, beyond the end"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_no_number_in_the_file_is_believed(path, kind):
    page, place, new, message = DAMAGES[kind]
    file = path / "data.mdb"
    data = bytearray(file.read_bytes())
    meta = LmdbFile(file)._tree.meta
    if page == 0:
        at = {"depth": 94, "entries": 120, "root": 128}[place]
        places = [at, 4096 + at]  # in both meta pages
    else:
        offset = int.from_bytes(data[4096 * meta.root + 16 :][:2], "little") if place == "node" else place
        places = [4096 * meta.root + offset]
    for at in places:
        data[at : at + len(new)] = new
    file.write_bytes(data)
    with pytest.raises(DataError, match=message):
        for index in range(len(records := Database(path))):
            records.read(index)


def test_a_tree_that_leads_back_to_itself_ends(tmp_path):
    with DatabaseWriter(tmp_path / "db") as writer:
        for label in range(2000):
            writer.add(datum.from_array(IMAGES[0], label))
    file = tmp_path / "db" / "data.mdb"
    data, meta = bytearray(file.read_bytes()), LmdbFile(file)._tree.meta
    assert meta.depth == 2
    root = 4096 * meta.root
    count = (int.from_bytes(data[root + 12 : root + 14], "little") - 16) // 2
    first = int.from_bytes(data[root + 16 : root + 18], "little")
    for k in range(count):  # every node leads where the first does
        at = int.from_bytes(data[root + 16 + 2 * k :][:2], "little")
        data[root + at : root + at + 6] = data[root + first : root + first + 6]
    for at in (88, 4096 + 88):  # and there are fewer leaves
        data[at + 16 : at + 24] = (3).to_bytes(8, "little")
        data[at + 32 : at + 40] = (400).to_bytes(8, "little")
    file.write_bytes(data)
    records = LmdbFile(file)
    with pytest.raises(DataError, match="part of a tree larger than the database"):
        for index in range(400):
            records.key(index)


def test_a_record_is_named(tmp_path):
    (tmp_path / "db").mkdir()
    with lmdb.open(str(tmp_path / "db")) as store, store.begin(write=True) as transaction:
        transaction.put(b"00000000_a\xff.png", b"\x22\x09x")
        transaction.put(b"00000001_b.png", b"\x22\x09x")
    records = Database(tmp_path / "db")
    with pytest.raises(DataError, match="no whole Datum"):
        records.read(0)
    assert records.place(0) == f"{tmp_path}/db: record '00000000_a\\\\xff.png'"
    assert records.place(1).endswith("record '00000001_b.png'")


def test_without_the_package(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lmdb", None)
    assert Database(path).read(3)[1] == 3  # reading is our own
    with pytest.raises(ConfigError, match=r"needs the package lmdb; hint: pip install 'minicaffe\[lmdb\]'"):
        DatabaseWriter(path.with_name("other"))
