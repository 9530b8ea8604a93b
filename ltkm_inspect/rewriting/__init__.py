"""Chooses which faults are put into which responses, and how often."""
