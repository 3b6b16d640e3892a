"""Reading data, without a net: files and named data sets, the order of samples, transformation, reading
ahead.

pieces         reading pieces of a file
idx            IDX files, the format of MNIST
datasets       the named data sets, and data sets in IDX files
catalogue      files and mirrors of the named data sets
download       downloading files from mirrors
archives       making IDX files from the archives of data sets
images         decoding image files as OpenCV does
datum          Caffe's record of one labelled image
lmdb_file      reading an LMDB file, page by page
database       LMDB databases of Datum records
image_list     a text file that lists images
class_folders  folders of images, one for each class
class_names    the names of classes in labels.txt
encoding       encoding image files
imageset       making a database from a list of images
mean           the mean image of a database
window_list    a text file that lists windows of images
facts          size and classes of a source
absent         which files a net names that are not here
ranges         ranges of a source: mnist/train[:45002]
order          which sample comes when
epoch          what a source tells about its samples
resize         resizing images as OpenCV does
transformer    resize, mean, scale, crop, mirror
batch          memory for one batch
batches        batches of a data set whose images all have one shape
records        batches of images that are read one by one
windows        batches of windows of images
hdf5          batches of rows of HDF5 files
staged         changing a file so that it is never half changed
prefetch       preparing batches ahead in a thread
augment        changing images at random in training
making         making data sets from files of other kinds (data make)
"""
