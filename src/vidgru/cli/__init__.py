"""Parsing and printing only; the work is done in `vidgru.commands` and the tasks."""
