"""Labelled folders of clips, honest splits and the cache of decoded frames."""
