"""Tools without training."""
