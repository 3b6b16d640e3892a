"""Random changes of images, on the host.

Compiled, and without threads of their own: what prepares batches runs beside the threads of the net.  Several
threads may call them for several images; each image is a function of its pixels and its plan.

    settings  what may happen, and how much of it
    plan      what happens to each image: drawn
    warp      one interpolation for all that moves pixels
    pixels    blur, colours, noise, erasing
    render    all of it, for a batch
"""
