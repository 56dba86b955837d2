"""Verbs that work for every task, through its contract."""
