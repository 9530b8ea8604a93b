"""Safe output: the console, JSON lines, redaction, and files that are either complete or absent."""
