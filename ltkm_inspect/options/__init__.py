"""The table of options, and parsers of their values, for the command line and the addon."""
