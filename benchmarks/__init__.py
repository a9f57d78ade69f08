"""Measurements: each prints what it measured and judges nothing."""
