"""Suites of tasks: run, reported, compared; `python -m cwm.benchmark`."""
