"""One package a task, behind one contract."""
