"""Docs that are made from the code, and tests that hold the others to it."""
