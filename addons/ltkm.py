"""The script for `mitmdump -s`; what it does lives in `ltkm_inspect.proxy`."""

import sys
from pathlib import Path
from typing import NoReturn


def _stop(missing: ModuleNotFoundError) -> NoReturn:
    """End mitmproxy with one line that names the missing package and how to get it."""
    name = (missing.name or "").partition(".")[0]
    if missing.name != "ltkm_inspect" and name in ("", "ltkm_inspect"):
        raise missing  # a module of our own is gone: no package to install, so the traceback is the better answer
    package = name.replace("_", "-")
    sys.exit(
        f"ltkm.py: the Python package {package} is missing from the environment of mitmproxy; get it with: "
        f"{sys.executable} -m pip install {package} (pipx: pipx inject mitmproxy {package}; "
        f"uv: uv tool install --with {package} mitmproxy)"
    )


try:
    try:
        from ltkm_inspect.proxy.addon import addons
    except ModuleNotFoundError as missing:
        if missing.name != "ltkm_inspect":
            raise
        sys.path.append(str(Path(__file__).resolve().parent.parent))  # a bare checkout: nothing was installed
        from ltkm_inspect.proxy.addon import addons
except ModuleNotFoundError as missing:
    _stop(missing)

__all__ = ["addons"]
