"""The lowest layer: errors, options, results, files. Only the standard library."""
