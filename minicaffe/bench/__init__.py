"""How fast nets and kernels are, beside others: `minicaffe bench`.

subject.py   a prototxt as what is timed: its data held in memory, its weights, files for the others
ours.py      the subject trained or run by this package
worker.py    a contender in a process of its own, perhaps of another interpreter
rivals/      what runs in that process: PyTorch, onnxruntime, OpenVINO, another checkout
turns.py     contenders take turns; what other programs took of the machine meanwhile
roof.py      the peak and the bandwidth of this machine, as measured
report.py    tables for people, and JSON for programs
"""
