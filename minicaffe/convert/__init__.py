"""Nets, weights and solver states from one file format to another.

formats     which format a file has, reading and writing it
model       weights as a net has them
doubts      what looks wrong about weights
fold        BatchNorm, Scale and Bias folded into the layers before them
onnx        a net and its weights as an ONNX file, with proof
"""
