"""Servers on a bench: see README.md."""
