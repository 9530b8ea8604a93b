"""Works with the types of mitmproxy without a running proxy: flows to exchanges and back, flow files, marks on
flows."""
