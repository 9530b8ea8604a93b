"""The plugin for Wireshark: a Lua script with the tables of the codec."""

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from ltkm_inspect import __version__
from ltkm_inspect.document import MSK_RESPONSE_TYPE
from ltkm_inspect.mikey.codes import BCAST_SUBTYPES, EXTENSION_TYPES, KEY_ID_TYPES
from ltkm_inspect.mikey.core import COUNTER
from ltkm_inspect.mikey.extension import KEY_DOMAIN_ID, KEY_IDS, MSK_ID, MTK_ID, OMA_BCAST
from ltkm_inspect.mikey.management import LTKM_SUBTYPE, layout


def wireshark_plugin() -> str:
    """Return the Lua script."""
    values = {
        "KEY_ID_TYPES": KEY_ID_TYPES.names,
        "EXTENSION_TYPES": EXTENSION_TYPES.names,
        "BCAST_SUBTYPES": BCAST_SUBTYPES.names,
        "MANAGEMENT_DATA": layout(),
        "MEDIA_TYPE": MSK_RESPONSE_TYPE,
        "KEY_DOMAIN_ID": KEY_DOMAIN_ID,
        "MSK_ID": MSK_ID,
        "MTK_ID": MTK_ID,
        "KEY_IDS": KEY_IDS,
        "OMA_BCAST": OMA_BCAST,
        "LTKM_SUBTYPE": LTKM_SUBTYPE,
        "COUNTER": COUNTER,
    }
    script = (files(__package__) / "wireshark.lua").read_text(encoding="utf-8")
    made_by = f"-- Made by ltkm-inspect {__version__}: ltkm-inspect wireshark > ltkm.lua\n"
    return made_by + re.sub("@([A-Z_]+)@", lambda name: lua(values[name[1]]), script)


def lua(value: Any) -> str:
    """Return a value as Lua: a table, a string, a number, or true or false."""
    match value:
        case Mapping():
            return "{ " + ", ".join(f"[{lua(_key(key))}] = {lua(each)}" for key, each in value.items()) + " }"
        case str():
            return '"' + value.translate({ord(character): f"\\{character}" for character in '"\\'}) + '"'
        case Sequence():
            return "{\n" + "".join(f"  {lua(each)},\n" for each in value) + "}"
    return str(value).lower()


def _key(key: Any) -> Any:
    """Return a key; what a data file has as a number in quotes is a number."""
    return int(key) if str(key).isdecimal() else key
