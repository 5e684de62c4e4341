"""Benchmarks: `make bench`, or `python -m tests.benchmarks [NAME ...]`.

Every module of this folder with a TITLE and a `run()` that returns rows is one table; the alternatives stand in
the same table, measured in the same run.  Nothing here is a test, and no test measures time.
"""
