"""HDF5Data: rows of HDF5 files."""

from __future__ import annotations

from ...data.epoch import Epoch
from ...data.hdf5 import HDF5Batches
from .source import Source


class HDF5Data(Source):
    """Rows of the datasets that the tops are named after, batch after batch, file after file.

    Param     hdf5_data_param: source, a text file of paths to HDF5 files; batch_size; shuffle (false): every
              epoch the files, and the rows inside a file, come in another order.
    Shapes    top[i] (batch_size, row...), the dataset of that name being (rows, row...) in every file.
    Source    Caffe's HDF5Data layer.
    Differs   the shuffle follows from the net's seed and the epoch; files whose rows differ in shape are
              refused.
    """

    type = "HDF5Data"
    stochastic = True

    def setup(self, bottom, top):
        conf = self.param.hdf5_data_param
        self.require(
            not self.param.HasField("transform_param"),
            "transform_param means nothing to HDF5Data",
            hint="transform the data before writing the file",
        )
        self.check_source("hdf5_data_param")
        names = [blob.name for blob in top]
        self.batches = HDF5Batches(
            conf.source,
            names,
            conf.batch_size,
            dtype=self.device.dtype,
            shuffle=conf.shuffle,
            largest_bytes=self.device.largest_bytes,
        )
        self.shapes = [(conf.batch_size, *row) for row in self.batches.shapes]
        if self.allocate:
            self.host = [self.device.host_empty(shape) for shape in self.shapes]

    def epoch(self) -> Epoch:
        def samples(at):
            return self.batches.samples(at, self.random.seed)

        return Epoch(self.batches.count, samples, self.batches.place)

    def stage(self, passes, top, put):
        self.batches(passes, self.host, self.random.seed)
        for blob, host in zip(top, self.host):
            put(host, blob)
