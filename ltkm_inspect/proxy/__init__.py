"""The mitmproxy addon: hooks, the content view, commands, and the editor."""
