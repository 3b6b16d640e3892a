"""changed_digits: every kind of change is measured on as many images."""

from __future__ import annotations

import re

from minicaffe.data import datasets
from minicaffe.net import Net
from tools import changed_digits

from ..support.running import PROTOTXT
from ..test_readme import small_mnist

NET = str(PROTOTXT / "mnist_cnn" / "train_test.prototxt")


def test_the_table(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MINICAFFE_DATA", str(tmp_path))
    monkeypatch.setitem(datasets.SETS, "mnist", small_mnist(tmp_path / "mnist"))
    weights = str(tmp_path / "w.caffemodel")
    Net(NET, phase="TEST", seed=1).save(weights)
    changed_digits.main(NET, weights, count=20)
    head, row = capsys.readouterr().out.splitlines()
    assert re.split(r"\s{2,}", head.strip()) == list(changed_digits.CHANGES)
    shares = [float(share) for share in re.findall(r"(\S+) %", row)]
    assert len(shares) == 4 and all(0 <= share <= 100 and share % 5 == 0 for share in shares)
    assert row.endswith(weights)
