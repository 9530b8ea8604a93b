"""The parts of the HTML page: what each of its sections shows, as plain values for the template."""
