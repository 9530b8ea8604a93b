"""Where the files stand that other programs ask for by path."""

from pathlib import Path


def addon_script() -> Path:
    """The script that `mitmdump -s` takes, as an absolute path.

    An installed wheel carries it alone in a folder of its own: mitmproxy puts the folder of a script first on
    `sys.path`, where any other module in it could hide one of the same name. In a checkout it stands in `addons/`,
    beside the package. Raises FileNotFoundError where neither is there.
    """
    package = Path(__file__).resolve().parent
    places = (package / "addon_script" / "ltkm.py", package.parent / "addons" / "ltkm.py")
    for place in places:
        if place.is_file():
            return place
    raise FileNotFoundError(f"expected the addon script at {places[0]} or {places[1]}, got neither")
