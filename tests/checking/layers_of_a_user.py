"""Python layers as users write them."""

import caffe


class Square(caffe.Layer):
    def setup(self, bottom, top):
        pass

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        top[0].data[...] = bottom[0].data ** 2

    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = 2 * bottom[0].data * top[0].diff


class WrongSquare(Square):
    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = 2.02 * bottom[0].data * top[0].diff


class WrongAtOne(Square):
    def backward(self, top, propagate_down, bottom):
        Square.backward(self, top, propagate_down, bottom)
        bottom[0].diff[2, 1, 0, 5] += 0.5
