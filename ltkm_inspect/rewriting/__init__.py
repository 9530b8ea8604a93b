"""Which faults go into which responses, and how often."""
