"""Parsing and printing only; the work is done in `vidgru.verbs`."""
