"""What runs in a worker's process (worker.py).  Every file here stands alone and imports nothing of this
package, because another interpreter runs it, in which the package need not be installed.

A rival is a file with a function `make(job)` that returns a dictionary:

    version   what it is, for people
    step      a function that makes one step: of training, or through the net
    outputs   a function that returns the outputs, by name, as arrays; of a net that trains the loss, under
              "".  It is called once, before the first step.  May be missing
    layers    a function layers(count) that times every layer by itself: name -> {"forward": [seconds],
              "backward": [seconds]}.  May be missing

`job` is a dictionary:

    trains    True: a step is forward, backward and update
    threads   how many to use
    options   of this contender, such as {"channels_last": true}
    inputs, weights   .npz files; `names` maps each input to its array's key
    layers    what the net is made of (description.py), each with the keys of its parameters
    outputs   the names of the outputs
    update    of SGD or Adam: type, rate, momentum, decay
    onnx      the net as an ONNX file, of a net that does not train
    prototxt, caffemodel   the net and its weights as this package reads them
"""
