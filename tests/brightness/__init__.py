"""A fifth task, in a hundred lines: predict how bright the next frames of a video are."""

COMMAND = "brightness"
SUMMARY = "Predict how bright the next frame of a video is."
