"""What tools/make_results.py is made of: the table of rows, their runs, the page."""
