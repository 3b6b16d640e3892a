"""Verdicts on nets: what they cost and get wrong before they run, and whether their gradients are right."""
