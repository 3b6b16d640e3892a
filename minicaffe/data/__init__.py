"""Data without a net: files, named data sets, their order, their transformation, and reading ahead.

idx           IDX files, the format of MNIST
datasets      the named data sets: where they are found, what they hold
download      fetching files from mirrors
order         which sample comes when
transformer   mean, scale, crop, mirror
batches       a data set as numbered batches
hdf5          a list of HDF5 files as numbered batches
prefetch      preparing batches ahead in a thread
"""
