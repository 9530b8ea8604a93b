"""URLs: which names of files are some, and how they are shown without the secrets in them."""

import re
from urllib.parse import unquote

HIDDEN = "***"
"""What is shown in place of a secret."""
_SCHEME = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]{0,30}::){0,5}[A-Za-z][A-Za-z0-9+.-]{0,30}(?=://)")
"""Also that of a URL in another one (`simplecache::https://…`): none is opened, and none shows a secret."""


def _pattern(space: str) -> re.Pattern[str]:
    return re.compile(
        r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,30})://"
        # a password with a slash in it is no URL, and is hidden nevertheless
        rf"(?:(?P<user>[^{space}/?#@]*|[^{space}/?#:@]+:(?!\d*(?:[{space}/?#]|$))[^{space}]*)@)?"
        rf"(?P<path>[^{space}?#]*)(?P<query>\?[^{space}#]*)?(?P<fragment>#[^{space}]*)?"
    )


_URL, _URL_IN_TEXT = _pattern(r"\0"), _pattern(r"\s")
"""A URL has no space in it, but a name that somebody typed may have."""
_WEB = frozenset({"http", "https"})
_FILE = re.compile(r"file://(?:localhost)?(/.*)", re.IGNORECASE | re.DOTALL)
_WITH_CONTAINER = frozenset({"abfs", "abfss", "az", "wasb", "wasbs"})
"""The schemes whose user is the name of a container."""
_SHOWN = frozenset({"versionId", "generation"})
"""The parameters of a query whose values tell which version of a file is meant."""
_LEAST = 4
"""How many characters a secret has at least that is looked for in other text."""


def is_url(name: str) -> bool:
    """Tell whether a name is a URL, and not the path of a file."""
    return _SCHEME.match(name) is not None


def scheme_of(url: str) -> str:
    """Return the scheme of a URL in lower case."""
    match = _SCHEME.match(url)
    return match[0].lower() if match is not None else ""


def is_web(url: str) -> bool:
    """Tell whether a URL is that of a web server, whose query is no part of the name of a file."""
    return scheme_of(url) in _WEB


def without_file_scheme(name: str) -> str:
    """Return the path that a file URL of this machine means (`file:///tmp/a%20b`); any other name as it is."""
    match = _FILE.match(name)
    return name if match is None else unquote(match[1], errors="surrogateescape")


def shown_name(name: str) -> str:
    """Return the name of a file as it may be shown: a URL with asterisks in place of the credentials in it.

    Credentials are a user, with or without a password, and the values in a query, which may be signatures.
    """
    return _URL.sub(_shown, name, 1) if is_url(name) else name


def without_secrets(text: str, url: str = "") -> str:
    """Return text with asterisks for the credentials in its URLs, and for those of `url` in any other place of it."""
    for secret in _secrets(url):
        text = text.replace(secret, HIDDEN)
    return _URL_IN_TEXT.sub(_shown, text)


def _shown(match: re.Match[str]) -> str:
    scheme, user, query, fragment = match["scheme"], match["user"], match["query"] or "", match["fragment"] or ""
    if user and not (scheme.lower() in _WITH_CONTAINER and ":" not in user):
        user = HIDDEN
    is_for_web = scheme.lower() in _WEB
    parts = [_parameters(query, is_for_web), _parameters(fragment, is_for_web) if is_for_web else fragment]
    return f"{scheme}://{f'{user}@' if user is not None else ''}{match['path']}{''.join(parts)}"


def _parameters(query: str, is_for_web: bool) -> str:
    """Return a query or a fragment without its values; a word in it is a value, too, where it cannot be a name."""
    words = []
    for word in query[1:].split("&") if query else ():
        name, equals, value = word.partition("=")
        if not word or (equals and name in _SHOWN):
            words.append(word)
        elif equals:
            words.append(f"{name}={HIDDEN if value else ''}")
        else:
            words.append(HIDDEN if is_for_web else word)
    return query[:1] + "&".join(words)


def _secrets(url: str) -> list[str]:
    """Return the secrets in a URL as they are written and as they are meant, the longest first."""
    match = _URL.fullmatch(url)
    if match is None:
        return []
    query = (word.partition("=") for word in (match["query"] or "")[1:].split("&"))
    written = [*(match["user"] or "").split(":"), *(value for name, _, value in query if name not in _SHOWN)]
    found = {each for text in written for each in (text, unquote(text)) if len(each) >= _LEAST}
    return sorted(found, key=len, reverse=True)
