"""Pixels in and out: the only floor that opens videos and images."""
