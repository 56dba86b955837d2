"""Frames of videos as images."""
