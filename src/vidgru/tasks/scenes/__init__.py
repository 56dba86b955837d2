"""Detection of scene boundaries."""

COMMAND = "scenes"
SUMMARY = "Find where scenes of videos begin and end."
