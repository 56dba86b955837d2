"""Forecast frames."""
