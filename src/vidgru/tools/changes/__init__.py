"""What appeared, vanished or moved for good before a fixed camera."""
