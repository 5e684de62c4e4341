"""Checks that take minutes, run by hand: `python -m tests.audits.predictions`, `python -m tests.audits.bases`."""
