"""Handwritten digits in photos, from pixels to lines of characters.

photo       a file or an array, grey and of a size to work on
light       ink apart from paper, whatever light falls on them
turning     turned pictures, and points in them
ruling      the lines of ruled and squared paper, found and taken away
threshold   which pixels are written on
parts       connected parts of the writing
lines       parts in rows, and how far the rows are from level
cuts        where touching characters may be parted
glyphs      a glyph as MNIST has it
recognizer  the net that says what a glyph is
lattice     all ways to make characters of a row's parts, and the best of them
read        all together
page        what was read
table       words in columns
arithmetic  whether equations hold
annotate    pictures of what was read
steps       the pictures of the steps, as files
"""
