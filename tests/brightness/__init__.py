"""A fifth task, in a hundred lines: predict how bright the next frames of a video are."""
