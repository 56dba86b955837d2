"""Classification of clips and videos."""

COMMAND = "predict"
SUMMARY = "Predict the class of videos, as a whole or over time."
