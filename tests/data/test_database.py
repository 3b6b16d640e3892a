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
        100: "MDB_INVALID",
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
    with pytest.raises(ConfigError, match=r"need the package lmdb; hint: pip install minicaffe\[lmdb\]"):
        Database(path)
    with pytest.raises(ConfigError, match=r"pip install minicaffe\[lmdb\]"):
        DatabaseWriter(path.with_name("other"))
