"""How anything is printed safely: console, JSON lines, redaction, and files that are complete or absent."""
