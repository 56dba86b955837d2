"""Detection of scene boundaries."""
