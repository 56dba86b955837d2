"""Prediction of motion."""

COMMAND = "motion"
SUMMARY = "Measure what moves in videos, and predict where it goes next."
