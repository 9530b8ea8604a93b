"""The mitmproxy addon, and everything else that needs mitmproxy: flows, the content view, commands, flow files."""
