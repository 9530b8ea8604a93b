"""What needs the types of mitmproxy, but no running proxy: flows to exchanges and back, flow files, marks on flows."""
