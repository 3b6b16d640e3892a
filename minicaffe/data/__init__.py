"""Data without a net: files, named data sets, their order, their transformation, and reading ahead.

pieces        pieces of a file, read by their place
idx           IDX files, the format of MNIST
datasets      the named data sets: where they are found, what they hold
download      fetching files from mirrors
images        image files as OpenCV would give them
datum         Caffe's record of one labelled image
lmdb_file     the records of an LMDB file, page by page
database      LMDB databases of such records
image_list    a text file that lists images
encoding      image files out of pixels
imageset      a database of the images of a list
mean          the mean image of a database
window_list   a text file that lists windows of images
order         which sample comes when
resize        images in another size, as OpenCV does it
transformer   resize, mean, scale, crop, mirror
batches       a data set in memory as numbered batches
records       images that are read one by one as numbered batches
windows       windows of images as numbered batches
hdf5          a list of HDF5 files as numbered batches
staged        a file whose changes stay in memory until all of them are there
prefetch      preparing batches ahead in a thread
"""
