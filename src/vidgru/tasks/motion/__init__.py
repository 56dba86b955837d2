"""Prediction of motion."""
