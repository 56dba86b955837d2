"""The floor under all others: errors, options, results, files. Only the standard library."""
