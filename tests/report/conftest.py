"""What tests of reports share."""

from pathlib import Path

import pytest

from ltkm_inspect.reference import B_TID, BSM, MRK, MUK


@pytest.fixture
def ring(tmp_path: Path) -> str:
    """Write a key ring with the keys of the reference, and return its path."""
    path = tmp_path / "ring.toml"
    path.write_text(f'[[subscribers]]\nb_tid = "{B_TID}"\nnaf = "{BSM}"\nmuk = "{MUK.hex()}"\nmrk = "{MRK.hex()}"\n')
    path.chmod(0o600)
    return str(path)
