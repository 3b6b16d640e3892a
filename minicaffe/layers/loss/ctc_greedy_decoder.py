"""CTCGreedyDecoder: the labels that scores say, step by step."""

from __future__ import annotations

import numpy as np

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import spelling


class CTCGreedyDecoder(Layer):
    """y = the best class of every step, without repetitions and then without blanks; -1 behind the last one.

    With a line of labels for every sequence, y = two accuracies of what is read: 1 - the mean of changes
    (labels put in, left out, exchanged) over the length of the longer of both; and the share of lines read
    without a mistake.

    Param     ctc_decoder_param: blank_index (0), the class that says nothing, negative: the last one;
              ctc_merge_repeated (true), false: repetitions stay.
    Shapes    bottom[0]: scores (T, N, classes), or probabilities; top[0]: (N, T, 1, 1), labels.  With
              bottom[1]: (N, length), labels, of which those that equal the blank do not count; top[0]:
              (1, 2, 1, 1).
    Source    CTCGreedyDecoder of caffe_ocr; Graves, Fernandez, Gomez & Schmidhuber 2006.
    Differs   a score that is NaN is never the best.  As in the fork, of equal ones the first is.
    """

    type = "CTCGreedyDecoder"
    bottoms = (1, 2)
    kernels = spelling
    backward_reads = frozenset()
    not_differentiable = Layer.ALL
    operations = (0, 0, 0)

    def reshape(self, bottom, top):
        shape, conf = bottom[0].shape, self.param.ctc_decoder_param
        if len(shape) < 3 or not bottom[0].count_over(2):
            raise ShapeError(f"bottom 0 must have the axes steps, sequences and classes; got {shape}")
        steps, n, classes = shape[0], shape[1], bottom[0].count_over(2)
        blank = conf.blank_index if conf.blank_index >= 0 else classes - 1
        if blank >= classes:
            raise ShapeError(
                f"ctc_decoder_param.blank_index {blank} is none of the {classes} classes, {shape}"
            )
        length = 0
        if len(bottom) > 1:
            if bottom[1].shape[:1] != (n,):
                raise ShapeError(
                    f"bottom 1 must have a line for each of the {n} sequences; got {bottom[1].shape}"
                )
            length = bottom[1].count_over(1)
            self.line, self.room = self.saved((n, length), np.int32), self.saved((n, length + 1), np.int32)
            self.errors = self.saved((n, 2))
        self.g = spelling.Readings(steps, n, classes, n, 1, length, blank, int(conf.ctc_merge_repeated))
        self.best = self.saved((steps, n), np.int32)
        top[0].reshape(*((1, 2, 1, 1) if len(bottom) > 1 else (n, steps, 1, 1)))

    def forward(self, bottom, top):
        best, y, g = self.best.data, top[0].data, self.g
        self.k.best_classes(bottom[0].data, best, g)
        if len(bottom) == 1:
            self.k.write_lines(best, y, g)
        else:
            rooms = self.line.data, self.room.data, self.errors.data
            self.k.line_errors(best, bottom[1].data, *rooms, g)
            self.k.mean_of_errors(self.errors.data, y, g)

    def backward(self, top, propagate_down, bottom):
        pass  # force_backward runs it; there is nothing to pass down
