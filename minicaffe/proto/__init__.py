"""Reading and writing the file formats: prototxt, binary messages, weights and solver states.

schema       the message classes, from caffe.proto
text         prototxt to messages and back, with errors that name file, line and column
faults       finds every error in a prototxt that cannot be parsed
guesses      which known name a misspelled one was meant to be
binary       binary messages; arrays to and from BlobProto
hdf5         weights and solver states in HDF5; hdf5_file opens any HDF5 file
npy          NumPy's files of one array
named        weights as arrays with names, which npz and safetensors_file read and write
nvcaffe      weights that NVIDIA Caffe wrote, turned into Caffe's
wire         the fields of a serialized message
forks        what forks of Caffe add to its schema; fork_schema says how each numbers it
fork_files   which fork a binary net is of; its numbers as ours, and back
unread       fields of forks that nothing here computes
extensions   the fields and values that Caffe does not have: listing, refusing and removing them
upgrade      reads files of earlier schemas; v0 and v1 convert the two whose layers looked different
aliases      layers of forks that are Caffe's under another name
"""
