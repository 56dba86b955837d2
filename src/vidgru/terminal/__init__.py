"""The toolkit of all commands: options, progress, tables, the loop over sources."""
