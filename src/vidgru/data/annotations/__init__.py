"""Annotations of long videos, one reader a file behind one interface, see `reader`."""
