"""The file formats: prototxt, binary messages and arrays in, and out again.

schema       the message classes, from caffe.proto
text         prototxt, with errors that name file, line and column
faults       what is wrong with a prototxt, all of it; guesses: what a misspelled name was meant to be
binary       binary messages; arrays to and from BlobProto
hdf5         weights and solver states in HDF5; hdf5_file opens any HDF5 file
npy          NumPy's own files
named        weights as arrays with names: what npz and safetensors_file read and write
nvcaffe      what NVIDIA Caffe stores otherwise
extensions   which fields are ours, and refusing them
upgrade      files written for earlier schemas; v0 and v1 are the two that had other layers
"""
