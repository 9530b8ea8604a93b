"""The register of Key Groups: the security policy that came with the latest MSK of each."""

from dataclasses import dataclass

from ltkm_inspect.mikey import SecurityPolicy
from ltkm_inspect.session.ltkm import LtkmRecord, Msk
from ltkm_inspect.session.register import SessionSettings, ltkm_register
from ltkm_inspect.wire import plain


@plain
@dataclass(slots=True)
class GroupPolicy:
    """The latest policy that was delivered in a Key Group."""

    msk: Msk
    policies: tuple[SecurityPolicy, ...]


def _add(policy: GroupPolicy | None, ltkm: LtkmRecord, settings: SessionSettings) -> GroupPolicy | None:
    return GroupPolicy(ltkm.msk, ltkm.policies) if ltkm.msk is not None else policy


KEY_GROUPS = ltkm_register("key_groups", lambda ltkm: ltkm.key_group if ltkm.policies else None, _add)
"""The latest policy of a Key Group, by IDi, Key Domain ID and Key Group part."""
