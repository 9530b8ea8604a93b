"""What URLs mean: a file elsewhere, the files in a folder, or those that match a pattern."""

import re
from collections.abc import Iterable, Mapping, Sequence
from errno import EIO
from typing import Any, Literal, NamedTuple

from ltkm_inspect.capture.remote import RemoteError, explaining, file_system_of
from ltkm_inspect.wire.urls import is_web

_MAGIC, _WEB_MAGIC = "*?[", "*["


class RemoteEntry(NamedTuple):
    """A file or folder that is elsewhere."""

    url: str
    size: int | None = None
    """In octets; None if the server does not tell."""
    is_folder: bool = False


class Listing(NamedTuple):
    """What a URL means: one file, the files in a folder and in its folders, or what matches a pattern."""

    kind: Literal["file", "folder", "pattern"]
    url: str
    """Of a folder, it ends with a slash."""
    entries: Sequence[RemoteEntry]


def listing(url: str) -> Listing:
    """Return what a URL means; OSError where that cannot be told."""
    with explaining(url):
        fs, path = file_system_of(url)
        fs.invalidate_cache()
        if url.endswith("/"):
            return _folder(fs, url, path)
        if is_web(url) and any(sign in url for sign in _WEB_MAGIC):
            return _matching(fs, url)
        try:
            info = fs.info(path)
        except FileNotFoundError:
            if is_web(url) or not any(sign in path.replace("?versionId=", "") for sign in _MAGIC):
                raise
            return _matching(fs, url)
        if info["type"] == "directory":
            return _folder(fs, f"{url}/", path)
        return Listing("file", url, [RemoteEntry(url, info.get("size"))])


def _folder(fs: Any, url: str, path: str) -> Listing:
    if not is_web(url):
        found = _entries(url, path, fs.find(path, detail=True).values())
        return Listing("folder", url, [each for each in found if not each.is_folder])
    # what it links to elsewhere, and how to sort the list, is not in the folder
    names = (info["name"] for info in fs.ls(url, detail=True) if info["name"].startswith(url))
    inside = (name for name in names if re.fullmatch(r"[^/?#]+", name[len(url) :]))
    return Listing("folder", url, [RemoteEntry(name) for name in sorted(inside)])


def _matching(fs: Any, url: str) -> Listing:
    """Return the files and folders that match a pattern."""
    if is_web(url) and "**" in url:
        raise RemoteError(EIO, "expected a pattern without **, as the folders of a web server are not searched")
    at = min(url.find(sign) for sign in (_WEB_MAGIC if is_web(url) else _MAGIC) if sign in url)
    root = url[: url.rindex("/", 0, at) + 1]
    found = fs.glob(fs._strip_protocol(url), detail=True).values()
    return Listing("pattern", url, _entries(root, fs._strip_protocol(root), found))


def _entries(url: str, path: str, found: Iterable[Mapping[str, Any]]) -> list[RemoteEntry]:
    """Return entries of the folder with that URL and path: a path alone does not always tell the account."""
    return [
        RemoteEntry(
            f"{url.removesuffix('/')}/{info['name'].removeprefix(path).removeprefix('/')}",
            info.get("size"),
            info["type"] == "directory" or info["name"].endswith("/"),
        )
        for info in found
        if "name" in info  # else it is a file that was typed as a folder
    ]


def starts(files: Sequence[RemoteEntry], octets: int) -> list[bytes | None]:
    """Return the first octets of each file of one place; None of one that cannot be read."""
    if not files:
        return []
    with explaining(files[0].url):
        fs, _ = file_system_of(files[0].url)
        if is_web(files[0].url):  # who does not know ranges would send whole files
            return [_start(fs, each.url, octets) for each in files]
        paths = [fs._strip_protocol(each.url) for each in files]
        found = fs.cat_ranges(paths, 0, octets, on_error="return")
        return [each if isinstance(each, bytes) else None for each in found]


def _start(fs: Any, url: str, octets: int) -> bytes | None:
    try:
        with fs.open(url, "rb", block_size=0) as file:
            found: bytes = file.read(octets)
            return found
    except Exception:
        return None
