"""What a network is trained for: head, target, loss, metrics and decoding, one file a task."""
