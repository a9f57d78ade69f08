"""Tests with real Flower, each in an environment of its own."""
