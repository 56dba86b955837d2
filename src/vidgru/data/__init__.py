"""Labelled folders of clips, splits without leaks and the cache of decoded frames."""
