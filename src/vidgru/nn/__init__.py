"""Networks: frames in, logits out, whole clips at once or one frame after the other."""
