"""caffe.proto: the home of caffe_pb2, which `import caffe` alone makes reachable, as in pycaffe."""

from . import caffe_pb2

__all__ = ["caffe_pb2"]
