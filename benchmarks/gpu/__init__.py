"""What the GPU backend does per second, beside PyTorch's where it is installed.

    python -m benchmarks.gpu --out FOLDER [--sections launch,images] [--nets lenet,googlenet]

Writes FOLDER/gpu.json, all that was measured, and FOLDER/gpu.md, its tables; both after every measurement, so
that a run that is cut keeps what it has.  A measurement that fails is reported in its place in one line.  Run
it on a machine that does nothing else.  All sections and nets take long: where time is short, name some.

launch    What it costs to ask a GPU for something, from Python: microseconds of the host until a call returns
          (`queued`) and until the GPU is done with all, per call (`done`).  Graphs of many empty kernels: the
          slope over their number is the time of one more kernel in a graph.  Bandwidth counts bytes read and
          bytes written; a product of (m, k) and (k, n) counts 2 m n k operations.
layers    Milliseconds of the GPU per layer, forward and backward.  Each is captured by itself, as often as
          makes a graph of half a millisecond, and the graph is replayed between two events: the host has no
          share in it.  What fits into the L2 cache stays there from one repetition to the next, so small
          layers look better than inside a net; `forward` and `training` of the whole net, forward and
          backward measured as one graph, have no such favour.  `of roof`: the least time over the time
          taken; the least by operations and by compulsory traffic (core/workload.py), at the rates of a
          large product of the same accuracy and of a large copy, measured on the same machine.  PyTorch's
          layers are measured in the same way, with ReLU out of place.
images    Images per second of training (forward, backward, update with momentum and weight decay; a new batch
          from pinned memory for every step) and of inference at batch 128; and the milliseconds of one image
          from the host and its probabilities back there.  By the wall clock.  Contenders take turns; ratios
          are of medians over the turns, to PyTorch with the same accuracy.
lenet     The wall time of prototxt/lenet/solver.prototxt on MNIST, all 10,000 iterations and 21 tests of
          10,000 images, without snapshots, three times; `building` is what comes before.  Kernels compile on
          first use, so the first run may take longer.  The accuracy after 1,000 iterations also on the CPU.
memory    What training takes of the GPU, by the driver and by CuPy's pool, beside what the net's plan says.

FP32 and TF32 are the accuracies of products (device/cuda.py), CAFFE and CUDNN the engines of convolutions.
For PyTorch the same accuracy is set by allow_tf32, and cudnn.benchmark is on.  Times are medians with
quartiles.  MNIST is looked for where minicaffe looks for it (MINICAFFE_DATA).
"""
