"""Layers as people write them, who say `import caffe`; tests/pycaffe/test_python_layers.py runs them."""

import caffe


class Tenfold(caffe.Layer):
    def setup(self, bottom, top):
        pass

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)

    def forward(self, bottom, top):
        top[0].data[...] = 10 * bottom[0].data

    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = 10 * top[0].diff


class Times(Tenfold):
    """The factor is param_str."""

    def setup(self, bottom, top):
        self.factor = float(self.param_str)

    def forward(self, bottom, top):
        top[0].data[...] = self.factor * bottom[0].data

    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = self.factor * top[0].diff


class Broken(Tenfold):
    def setup(self, bottom, top):
        raise RuntimeError("broken on purpose")


class Parameter(caffe.Layer):
    """Shows its one parameter."""

    def setup(self, bottom, top):
        self.blobs.add_blob(1)
        self.blobs[0].data[0] = 0

    def reshape(self, bottom, top):
        top[0].reshape(1)

    def forward(self, bottom, top):
        top[0].data[...] = self.blobs[0].data[:]

    def backward(self, top, propagate_down, bottom):
        self.blobs[0].diff[:] = 1


class PhaseLayer(caffe.Layer):
    def setup(self, bottom, top):
        pass

    def reshape(self, bottom, top):
        top[0].reshape()

    def forward(self, bottom, top):
        top[0].data[()] = self.phase


class Keeps(Tenfold):
    """Remembers an array of its bottom, and what its owner told it."""

    told = 1

    def reshape(self, bottom, top):
        super().reshape(bottom, top)
        self.array = None

    def forward(self, bottom, top):
        self.array = bottom[0].data
        top[0].data[...] = self.told * self.array


class Asks(Tenfold):
    """Does something else on the way."""

    ask = staticmethod(lambda: None)

    def forward(self, bottom, top):
        self.ask()
        super().forward(bottom, top)
