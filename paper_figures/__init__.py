"""Figures of the literature, drawn from exact values."""
