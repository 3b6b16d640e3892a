"""How good a net is, and where it errs: numbers, charts and pictures in one folder.

net = Net("train_test.prototxt", phase="TEST", forward_only=True)
net.load("lenet.caffemodel", must_match=True)
evaluation = evaluate(net)
print(evaluation.accuracy.value)
write(evaluation, "report")
"""

from .evaluation import Evaluation, evaluate
from .folder import PAGE, refuse, write

__all__ = ["PAGE", "Evaluation", "evaluate", "refuse", "write"]
