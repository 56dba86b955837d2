"""Tell classes."""
