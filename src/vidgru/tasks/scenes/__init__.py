"""Find where scenes begin and end."""
