"""What Caffe's notebooks do, on the embedded digits: the calls they are known for, and what comes of it."""
