"""Writes reports: lines of text, JSON Lines, SARIF, JUnit, HTML, and the summary of a run."""
