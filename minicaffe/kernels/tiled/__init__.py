"""The CPU's composites: matrix products and convolutions over register tiles.

Operands are *packed* first: copied into panels in which a register tile reads straight ahead.  A panel of A
is `rows` wide (one tile's height), a panel of B `width` wide (one tile's width); both are stored
[panel][k][element], the last panel filled up with zeros.  Packing costs one pass over the operand and pays
for itself because each panel is used by every tile of its row or column.  Weights that few tiles use are read
where they lie.

    panels        packing, and the ragged edges of a product
    gemm          c = op(a) op(b)
    few_rows      the same for an a that stays in a cache, and b^T, whose rows are read as they lie
    a_in_place    the same for an a that stays in a cache, and whose rows are read as they lie
    planes        padded planes in which strided windows read neighbours
    columns       the columns of an image
    convolution   which way each product goes, and the gradients by data and by weights
    forward       forward of one convolution, or of up to three 1x1 of one blob
    pointwise     the gradient by data of 1x1 windows
    siblings      the same as convolution for 1x1 convolutions of one blob together
    depthwise     forward of one channel by itself, where no tile would be filled
"""
