"""Convolution on tensor cores, for GPUs from compute capability 8.0 on: what `engine: CAFFE` runs there.

Each direction is one matrix product of which one operand is never stored: an *implicit* GEMM that gathers the
image's values as it goes.

    ptx.cuh        the PTX instructions that CUDA C++ has no words for
    tile.cuh       the product of two staged slices: one warp's share of a block's tile
    convolution.cu the kernels: gather (forward, and backward by data), weights, and small ones beside them
    places         the tables that say where a tap or a pixel lies: made once per geometry
    tiles          which tile, and into how many parts a sum is cut
    launches       the kernels compiled and launched
    convolution    the composites that kernels/convolution.py names
"""
