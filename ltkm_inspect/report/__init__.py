"""Reports in the forms that people and programs read: text, JSON Lines, and the summary of a run."""
