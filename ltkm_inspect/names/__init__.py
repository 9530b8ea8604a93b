"""What people call Key Domains, Key Groups, MSKs, B-TIDs and addresses: a file of names, and the names in an event."""

from ltkm_inspect.names.event_names import NO_EVENT_NAMES, EventNames, recorded_keys
from ltkm_inspect.names.names import NO_NAMES, Names, item_keys, same_b_tid
from ltkm_inspect.names.names_file import NamesFile
