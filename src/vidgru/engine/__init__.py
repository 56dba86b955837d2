"""The training loop and its files on disk."""
