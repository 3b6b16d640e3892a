"""Pictures of nets, drawn without any other program.

diagram      what is to be seen: a box for every layer, links where blobs pass, in-place layers attached
order        rows of boxes: which layer stands in which, and beside which, so that few links cross
coordinates  where in their rows: long links straight, boxes between what they read and what reads them
layout       both together: rectangles and curves, in any of four directions
scene        shapes and words with their colours
svg, png     files of a scene
"""
