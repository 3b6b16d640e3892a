"""From a net's description to a plan of its memory, without any array.

filter     which layers take part in a state
splits     one consumer per blob
wiring     names to blobs; what may run in place
gradients  which layers run backward, and for which bottoms and parameters
liveness   from when to when every buffer is needed
plan       where every buffer lies in one arena
"""
