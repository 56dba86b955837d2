"""Forecast frames."""

COMMAND = "forecast"
SUMMARY = "Forecast the frames that come next in videos."
