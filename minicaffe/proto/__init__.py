"""The file formats: prototxt and binary messages in, and out again.

schema       the message classes, from caffe.proto
text         prototxt, with errors that name file, line and column
faults       what is wrong with a prototxt, all of it; guesses: what a misspelled name was meant to be
binary       binary messages; arrays to and from BlobProto
extensions   which fields are ours, and refusing them
upgrade      files written for earlier schemas; v0 and v1 are the two that had other layers
"""
