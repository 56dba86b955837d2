"""Predict what moves, and where to."""
