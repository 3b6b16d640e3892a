"""Pictures of nets and images, drawn without any other program.

states       which layers take part in which states of the net
diagram      what is to be seen: a box for every layer, links where blobs pass, in-place layers attached
order        rows of boxes: which layer stands in which, and beside which, so that few links cross
columns      where a long picture is cut, so that it fills a page
coordinates  where in their rows: long links straight, boxes between what they read and what reads them
layout       all together: rectangles and curves, in any of four directions
theme        colours
scene        shapes and words with their colours
svg, png     files of a scene
sheet        images in rows and columns, as a PNG file
"""
