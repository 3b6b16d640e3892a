"""Convolution."""

from ..support.laws import Case

CONV = 'type: "Convolution" convolution_param {{ {} }}'

CASES = [
    Case(CONV.format("num_output: 4 kernel_size: 3"), ((2, 3, 6, 5),)),
    Case(CONV.format("num_output: 4 kernel_size: 3 pad: 1 stride: 2 group: 2"), ((2, 4, 7, 6),)),
    Case(CONV.format("num_output: 3 kernel_h: 2 kernel_w: 3 dilation: 2 bias_term: false"), ((1, 2, 7, 8),)),
    Case(CONV.format("num_output: 2 kernel_size: 2 stride: 2 pad: 1"), ((2, 2, 3, 4, 5),)),
    Case(CONV.format("num_output: 5 kernel_size: 3"), ((3, 2, 9),)),
    Case(CONV.format("num_output: 18 kernel_size: 1"), ((2, 17, 5, 7),)),
]
