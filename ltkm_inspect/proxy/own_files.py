"""The key ring, the baseline and the file of names of a running proxy: read again when they change."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ltkm_inspect.finding import count
from ltkm_inspect.options.table import SHOWS_KEYS
from ltkm_inspect.proxy.configuration import Configuration
from ltkm_inspect.wire import printable
from ltkm_inspect.wire.toml_file import TomlFile

logger = logging.getLogger(__name__)


def refreshed(configuration: Configuration) -> Configuration:
    """Return the configuration with files that have changed; one that cannot be used leaves it as it is."""
    ring_file, names_file = configuration.ring_file, configuration.names_file
    baseline_file = configuration.baseline_file
    if baseline_file is not None and _new_warnings(baseline_file, "baseline") is not None:
        entries = len(baseline_file.content.entries)
        shown = "1 entry" if entries == 1 else f"{entries} entries"
        logger.info("ltkm: read %s again: %s", printable(str(baseline_file.path)), shown)
    if ring_file is not None:
        former = ring_file.warnings
        lines = _new_warnings(ring_file, "keys")
        if lines is not None:
            configuration = replace(configuration, context=replace(configuration.context, keys=ring_file.ring))
            subscribers = count(len(ring_file.ring.subscribers), "subscriber")
            logger.info("ltkm: read %s again: keys of %s", printable(str(ring_file.path)), subscribers)
            _warn(lines if lines != former else ())
    if names_file is not None and _new_warnings(names_file, "names") is not None:
        names = names_file.content
        configuration = replace(configuration, wording=replace(configuration.wording, names=names))
        logger.info("ltkm: read %s again: %s", printable(str(names_file.path)), count(len(names), "name"))
        _warn(names.conflicts(configuration.context.keys))
    return configuration


def tell_of_keys(former: Configuration, now: Configuration) -> None:
    """Log once what there is to know about the keys and names now in use."""
    if now.ring_file is not None and now.ring_file is not former.ring_file:
        _warn(now.ring_file.warnings)
    if now.redaction_key is not None and now.redaction_key is not former.redaction_key:
        _warn(now.redaction_key.warnings)
        if now.wording.redaction is None:
            _warn(["ltkm_redact_key_file has no effect without ltkm_redact"])
    if now.show_keys and not former.show_keys:
        logger.warning("ltkm: ltkm_show_keys is on: %s", SHOWS_KEYS)
    if now.wording.redaction is not None and former.wording.redaction is None:
        logger.info("ltkm: ltkm_redact is on; mitmproxy's own lines still show addresses, unless flow_detail is 0")


def _new_warnings(file: TomlFile[Any], what: str) -> list[str] | None:
    """Read a file again where it has changed; return its warnings, or None if there is nothing to take over."""
    former, lines = file.content, file.refresh()
    if lines is None or file.content is not former:
        return lines
    _warn(f"{line}; still using the old {what}" for line in lines)
    return None


def _warn(lines: Iterable[str]) -> None:
    for line in lines:
        logger.warning("ltkm: %s", printable(line))
