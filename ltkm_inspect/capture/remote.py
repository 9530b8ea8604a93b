"""Files that are not on this machine, such as in object storage, through fsspec; whatever fails there is an OSError."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from errno import EACCES, EIO, ENOENT, ESTALE
from typing import Any

from ltkm_inspect.capture.damage import REPLACED
from ltkm_inspect.wire import printable
from ltkm_inspect.wire.urls import is_web, scheme_of, without_secrets

FETCH = 1 << 20
"""How many octets are fetched ahead of those that are asked for."""
CONNECT, SILENCE = 30, 120
"""Seconds until a web server has to accept a connection, and to send more; a file has no deadline."""
LONGEST_REASON = 300
"""How many characters of what a driver says are shown."""
NO_FSSPEC = "a URL takes the Python package fsspec, which is missing: pip install 'ltkm-inspect[cluster]'"

_GONE, _DENIED = (404, 410), (401, 403, 407)
"""What web servers answer."""
_TAGS = ("ETag", "etag", "generation", "content_md5", "Content-MD5", "Digest")
_TIMES = ("LastModified", "last_modified", "Last-Modified", "updated", "mtime", "modified", "created")
"""What storages tell of a file that is another one, or later, once the file was replaced."""
_ENCODED = re.compile("[!-~]*").fullmatch
"""What is sent as it was typed: a signature may cover the way in which a URL is written."""


class RemoteError(OSError):
    """Why a file elsewhere cannot be read; its text is one line, without secrets and safe to print."""


class RemoteFile:
    """An open file that is elsewhere."""

    def __init__(self, url: str) -> None:
        """Open it; OSError where that cannot be done."""
        self._url = url
        with explaining(url):
            self._fs, self._path = file_system_of(url)
            self._fs.invalidate_cache()
            if is_web(url):
                info = self._fs.info(self._path)
                self._file, can_seek = _web_file(self._fs, self._path, info)
            else:
                self._file = self._fs.open(self._path, "rb", block_size=FETCH, cache_type="readahead")
                info = getattr(self._file, "details", None) or {}
                can_seek = bool(self._file.seekable())
                if not any(info.get(name) for name in (*_TAGS, *_TIMES)):
                    info = self._fs.info(self._path)
            if info.get("type") == "directory":
                raise RemoteError(EIO, "expected a file, got a folder: end its name with /")
            self.size: int | None = info.get("size")
            self.is_seekable = can_seek and self.size is not None
            self._is_fetched_in_parts = self.is_seekable and (self.size or 0) > FETCH
            self._identity = _identity(info)

    def read(self, size: int) -> bytes:
        """Return at most that many octets, none at the end; OSError where they cannot be had, or the file changed."""
        with explaining(self._url):
            octets: bytes = self._file.read(size)
        if not octets and self._is_fetched_in_parts and self.identity() != self._identity:
            raise RemoteError(ESTALE, REPLACED)
        return octets

    def seek(self, offset: int) -> int:
        """Go to a place."""
        with explaining(self._url):
            return int(self._file.seek(offset))

    def tell(self) -> int:
        """Return how many octets are in front of what is read next."""
        return int(self._file.tell())

    def identity(self) -> tuple[str, ...]:
        """Ask anew what another file in its place would not have in common with it."""
        with explaining(self._url):
            self._fs.invalidate_cache()
            return _identity(self._fs.info(self._path))

    def close(self) -> None:
        """Close it."""
        with suppress(Exception):
            self._file.close()


def _web_file(fs: Any, path: str, info: Mapping[str, Any]) -> tuple[Any, bool]:
    """Return the file of a web server, and whether any part of it can be read, as of one that knows ranges."""
    size = info["size"]
    if size is not None and size > 1 and info.get("partial", True):
        file = fs.open(path, "rb", block_size=FETCH, size=size, cache_type="readahead")
        with suppress(ValueError):
            file._fetch_range(1, 2)  # who knows no ranges would send the whole file for its first octets, too
            return file, True
    return fs.open(path, "rb", block_size=0), False


def _identity(info: Mapping[str, Any]) -> tuple[str, ...]:
    tag = next((str(info[name]) for name in _TAGS if info.get(name)), "")
    time = "" if tag else next((str(info[name]) for name in _TIMES if info.get(name)), "")
    return str(info.get("size")), tag, time


def file_system_of(url: str) -> tuple[Any, str]:
    """Return the file system of a URL and the path in it."""
    try:
        import fsspec
    except ImportError:
        raise RemoteError(EIO, NO_FSSPEC) from None
    scheme = scheme_of(url)
    url = scheme + url[len(scheme) :]
    kind = fsspec.get_filesystem_class(scheme)
    options = kind._get_kwargs_from_urls(url)
    if is_web(url):
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT, sock_read=SILENCE)
        given = fsspec.config.conf.get(scheme, {}).get("client_kwargs", {})
        options["client_kwargs"] = {"timeout": timeout, "trust_env": True, **given}
        options["encoded"] = _ENCODED(url) is not None
    return fsspec.filesystem(scheme, **options), kind._strip_protocol(url)


@contextmanager
def explaining(url: str) -> Iterator[None]:
    """Make whatever fails within an OSError that says why in one line, without secrets."""
    try:
        yield
    except Exception as error:
        raise _failure(error, url) from None


def _failure(error: Exception, url: str) -> OSError:
    scheme = scheme_of(url)
    if isinstance(error, RemoteError):
        return error
    if isinstance(error, ImportError):
        name = getattr(error.__cause__ or error, "name", None) or scheme
        return RemoteError(EIO, f"{scheme}:// takes the Python package {name}, which is missing: pip install {name}")
    if str(error).startswith("Protocol not known"):
        return RemoteError(EIO, f"expected a path, or a URL such as s3://bucket/key, got {scheme}://")
    if type(error).__name__ == "FileExpired":
        return RemoteError(ESTALE, REPLACED)
    # whatever a web server answers, its file is said to be missing
    cause: BaseException = (error.__cause__ if is_web(url) and isinstance(error, FileNotFoundError) else None) or error
    status = getattr(cause, "status", None)
    if status in _GONE or isinstance(cause, FileNotFoundError):
        return RemoteError(ENOENT, f"there is no such file{'' if is_web(url) else ', folder or bucket'}")
    if is_web(url) and isinstance(cause, ValueError) and "invalid" in f"{type(cause).__name__} {cause}".lower():
        return RemoteError(EIO, f"expected {scheme}://HOST/PATH, got a URL that cannot be used")
    if type(cause).__name__ == "ClientPayloadError":
        return RemoteError(EIO, "the connection ended before the file did")
    text = str(getattr(cause, "message", None) or getattr(cause, "strerror", None) or cause)
    why = printable(without_secrets(" ".join(text.split()), url))[:LONGEST_REASON] or type(cause).__name__
    if status in _DENIED or isinstance(error, PermissionError):
        return RemoteError(EACCES, f"access denied: check the credentials, and what they allow ({why})")
    return RemoteError(EIO, why if isinstance(cause, OSError) else f"{why} ({type(cause).__name__})")
