"""What a person can ask for, one file a verb; each returns or yields results and never prints."""
