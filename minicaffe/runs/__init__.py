"""Runs: their folders, metrics, commands to them, and reading what they left."""
