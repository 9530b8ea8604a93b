"""Three machines on one: network namespaces of a terminal, of the laptop with the proxy, and of the BSM.

The laptop is the router between the networks of the two others, as in the field. Everything is gone at the end.
"""

import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Self

LAPTOP, TERMINAL, BSM = "192.168.12.1", "192.168.12.2", "198.51.100.2"
_LINES = f"""
netns add {{terminal}}
netns add {{laptop}}
netns add {{bsm}}
-n {{terminal}} link add eth0 type veth peer name wlan0 netns {{laptop}}
-n {{bsm}} link add eth0 type veth peer name eth0 netns {{laptop}}
-n {{terminal}} address add {TERMINAL}/24 dev eth0
-n {{laptop}} address add {LAPTOP}/24 dev wlan0
-n {{laptop}} address add 198.51.100.1/24 dev eth0
-n {{bsm}} address add {BSM}/24 dev eth0
-n {{terminal}} link set eth0 up
-n {{laptop}} link set wlan0 up
-n {{laptop}} link set eth0 up
-n {{bsm}} link set eth0 up
-n {{terminal}} route add default via {LAPTOP}
-n {{bsm}} route add default via 198.51.100.1
"""


def are_possible() -> bool:
    """Tell whether this process may make network namespaces."""
    return (
        os.geteuid() == 0
        and subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode == 0
    )


class Networks:
    """The networks, and who does something in which of them: `terminal`, `laptop` or `bsm`."""

    def __init__(self) -> None:
        """Make them."""
        self._names = {each: f"ltkm-{os.getpid()}-{each}" for each in ("terminal", "laptop", "bsm")}
        self._actors: dict[str, ThreadPoolExecutor] = {}

    def __enter__(self) -> Self:
        """Connect them."""
        for line in filter(None, _LINES.format(**self._names).splitlines()):
            subprocess.run(["ip", *line.split()], check=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Take everything away."""
        for actor in self._actors.values():
            actor.shutdown()
        for name in self._names.values():
            subprocess.run(["ip", "netns", "delete", name], check=False)

    def within(self, who: str) -> list[str]:
        """Return the words in front of a command that runs there."""
        return ["ip", "netns", "exec", self._names[who]]

    def shell(self, who: str, commands: str) -> str:
        """Run commands of a shell there; return what they print."""
        words = [*self.within(who), "sh", "-euc", commands]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout

    def do[T](self, who: str, function: Callable[[], T]) -> T:
        """Call a function in a thread whose sockets are there."""
        if who not in self._actors:
            self._actors[who] = ThreadPoolExecutor(1, initializer=self._move, initargs=(who,))
        return self._actors[who].submit(function).result()

    def _move(self, who: str) -> None:
        with open(f"/run/netns/{self._names[who]}") as namespace:
            os.setns(namespace.fileno(), os.CLONE_NEWNET)
