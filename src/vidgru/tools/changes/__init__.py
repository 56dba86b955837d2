"""Lasting changes in front of a fixed camera: appeared, vanished or moved objects."""
