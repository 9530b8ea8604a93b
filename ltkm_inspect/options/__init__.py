"""The options that users type, in one table, and what their words mean; for the command line and the addon alike."""
