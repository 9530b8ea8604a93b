"""A small disk of our own, which can be full: a tmpfs in a mount namespace that nobody else sees."""

import os
import subprocess
from contextlib import suppress
from pathlib import Path


class Disk:
    """A folder for reports, with a disk of its own where we may mount one."""

    def __init__(self, folder: Path, octets: int) -> None:
        """Mount it. Must be called before any thread or process is started; what is started later sees it, too."""
        self.folder = folder
        self._ballast = folder / "ballast"
        self.lacks = ""
        """Why the disk cannot be filled; empty if it can."""
        folder.mkdir()
        try:
            os.unshare(os.CLONE_NEWNS)
            subprocess.run(["mount", "--make-rprivate", "/"], check=True, capture_output=True)
            options = ["-t", "tmpfs", "-o", f"size={octets}", "ltkm-soak", str(folder)]
            subprocess.run(["mount", *options], check=True, capture_output=True)
        except (AttributeError, OSError, subprocess.CalledProcessError) as error:
            self.lacks = f"needs root, for a disk of its own: {error}"

    def fill(self) -> None:
        """Leave no octet free."""
        assert not self.lacks
        with self._ballast.open("wb", buffering=0) as file, suppress(OSError):
            for size in (1 << 20, 1 << 12, 1):
                with suppress(OSError):
                    while file.write(bytes(size)):
                        pass

    @property
    def is_filled(self) -> bool:
        """The ballast is on it."""
        return self._ballast.exists()

    def free(self) -> None:
        """Make room again."""
        self._ballast.unlink(missing_ok=True)

    def close(self) -> None:
        """Give the disk back, with all that is on it."""
        if not self.lacks:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=False, capture_output=True)
