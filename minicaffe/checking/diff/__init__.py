"""What differs: between two files, or between one net on two backends.

fields     nets and solvers, field by field
arrays     weights and solver states, array by array
backends   every layer forward and backward, on the same input
report     the results as a table and as JSON
"""
