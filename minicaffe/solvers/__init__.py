"""Solvers, in three parts: update_rules.py says how a gradient changes the parameters, device_step.py does
the work of an iteration on the device, and solver.py trains: the loop with tests, displays and snapshots."""
