"""The script for `mitmdump -s`; what it does lives in `ltkm_inspect.proxy`."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

if sys.version_info < (3, 12):  # noqa: UP036 - an older mitmproxy brings an older Python, which cannot read the package
    sys.exit(
        f"ltkm.py: expected Python 3.12 or newer, got {sys.version.split()[0]} ({sys.executable}): install mitmproxy "
        "12 with a newer Python, for example with: uv tool install --python 3.13 mitmproxy"
    )

try:
    from mitmproxy.version import VERSION as _VERSION
except ImportError:  # the mistake is named below
    _VERSION = ""
if tuple(int(part) for part in _VERSION.split(".")[:2] if part.isdigit()) < (12, 2) and _VERSION:
    sys.exit(
        f"ltkm.py: expected mitmproxy 12.2 or newer, got {_VERSION} ({sys.executable}): install a newer one with: "
        f"{sys.executable} -m pip install --upgrade mitmproxy (pipx: pipx upgrade mitmproxy; uv: uv tool upgrade "
        "mitmproxy)"
    )

_PACKAGES = ("brotli", "click", "cryptography", "h11", "jinja2", "lxml", "markupsafe", "zstandard")
"""What the package needs beside mitmproxy."""


def _stop(missing: ModuleNotFoundError) -> NoReturn:
    """End mitmproxy with one line that names the missing packages and how to get them."""
    name = (missing.name or "").partition(".")[0]
    if missing.name == "ltkm_inspect":
        sys.exit(
            "ltkm.py: the package ltkm_inspect is missing, next to the folder of this script and in the environment "
            f"of mitmproxy; in a checkout of ltkm-inspect, install it with: {sys.executable} -m pip install . "
            "(pipx: pipx inject mitmproxy . ; uv: uv tool install --with . mitmproxy)"
        )
    if name in ("", "ltkm_inspect"):
        raise missing  # a module of our own is gone: no package to install, so the traceback is the better answer
    packages = sorted({name.replace("_", "-"), *(each for each in _PACKAGES if find_spec(each) is None)})
    names, some = " ".join(packages), len(packages) > 1
    sys.exit(
        f"ltkm.py: the Python package{'s' * some} {', '.join(packages)} {'are' if some else 'is'} missing from the "
        f"environment of mitmproxy; install {'them' if some else 'it'} with: {sys.executable} -m pip install {names} "
        f"(pipx: pipx inject mitmproxy {names}; uv: uv tool install --with {' --with '.join(packages)} mitmproxy)"
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
