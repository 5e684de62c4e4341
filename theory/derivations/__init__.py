"""Symbolic derivations of the formulas the theory uses."""
