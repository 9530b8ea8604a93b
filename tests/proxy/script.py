"""What `addons/ltkm.py` gives mitmproxy, made anew each time: several runs of one process share nothing."""

from ltkm_inspect.proxy.addon import LtkmInspect

addons = [LtkmInspect()]
