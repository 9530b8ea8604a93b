"""A mitmdump that is steered by this process, and ends with it, whatever ends this process."""

import json
import re
import signal
import socket
import subprocess
import sysconfig
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import ltkm_inspect.proxy

STEERING = Path(ltkm_inspect.proxy.__path__[0], "steering", "ltkm_steering.py")
"""The script that serves the other end."""
LISTENING = re.compile(r"listening at (?:http://)?[\d.*]+:(\d+)")
_STARTS = 60.0
"""Seconds after which a mitmdump that does not listen counts as hanging."""
_ENDS = 20.0
"""Seconds after which one that does not end is killed."""


class StartError(Exception):
    """mitmdump could not be started; the message is one line."""


class Process(Protocol):
    """What is needed of a process of `subprocess`."""

    @property
    def stdout(self) -> IO[str] | None: ...
    def send_signal(self, signal: signal.Signals, /) -> None: ...
    def kill(self) -> None: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float, /) -> int: ...


class SteeringWheel:
    """This end of the socket over which a mitmdump is steered. Without this end, the mitmdump ends."""

    def __init__(self) -> None:
        self._socket, self.other = socket.socketpair()
        self._file = self._socket.makefile("rb")
        self.handed_over = (self.other.fileno(),)
        """What `subprocess.Popen` takes as `pass_fds`."""
        self.words = steering_words(self.other.fileno())
        """What mitmdump takes."""

    def started(self) -> None:
        """Leave the other end to mitmdump, which has it now."""
        self.other.close()

    def set(self, **options: object) -> str:
        """Set options; return the text of the error, or nothing."""
        return str(self.tell("set", options)["error"])

    def run(self, command: str, *arguments: str) -> str:
        """Run a command; return the text of the error, or nothing."""
        return str(self.tell("run", [command, *arguments])["error"])

    def tell(self, *what: object, timeout: float = _STARTS) -> dict[str, Any]:
        """Return the answer to a line; OSError if mitmdump has ended, TimeoutError if it does not answer."""
        self._socket.settimeout(timeout)
        self._socket.sendall(json.dumps(what).encode() + b"\n")
        line = self._file.readline()
        if not line:
            raise ConnectionResetError("mitmdump has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Let go, so that mitmdump ends."""
        self._file.close()
        self._socket.close()


class RunningMitmdump:
    """A process that is a mitmdump, with what it prints."""

    def __init__(self, process: Process, modes: int = 1) -> None:
        """Wait until it says where it listens, as often as it has modes; StartError if it does not."""
        self.process = process
        self.port = 0
        """The port of its first mode."""
        self._lines: list[str] = []
        self._modes = modes
        self._listening = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        listens = self._listening.wait(_STARTS)
        if not self.port:
            why = " / ".join(line.strip() for line in self._lines[-3:]) or "it printed nothing"
            self.end(kill=True)
            raise StartError(f"mitmdump did not start{'' if listens else f' in {_STARTS:.0f} seconds'}: {why}")

    @property
    def output(self) -> str:
        """What it printed so far."""
        return "".join(self._lines)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.append(line)
            found = LISTENING.search(line)
            if found:
                self.port = self.port or int(found[1])
                self._modes -= 1
                if not self._modes:
                    self._listening.set()
        self._listening.set()

    def end(self, by: signal.Signals | None = None, *, kill: bool = False) -> int:
        """Wait until it has ended, killed if need be; return its exit status."""
        if by is not None:
            self.process.send_signal(by)
        if kill:
            self.process.kill()
        try:
            status = self.process.wait(_ENDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait(_ENDS)
        self._reader.join(_ENDS)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status


def start(words: Sequence[str | Path], wheel: SteeringWheel, command: Sequence[str] = ()) -> RunningMitmdump:
    """Start a mitmdump on a free port of the loopback; StartError if that fails."""
    program = [*command] or [str(Path(sysconfig.get_path("scripts")) / "mitmdump")]
    typed = [*program, "--listen-host", "127.0.0.1", "--listen-port", "0", *map(str, words), *wheel.words]
    pipe: IO[str] | int = subprocess.PIPE
    try:
        # in a session of its own, so that Ctrl-C in a terminal ends it in its turn, and not the tests' proxy under them
        process = subprocess.Popen(
            typed,
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=subprocess.STDOUT,
            text=True,
            errors="backslashreplace",
            pass_fds=wheel.handed_over,
            start_new_session=True,
        )
    except OSError as error:
        raise StartError(f"{program[0]}: {error.strerror}; install ltkm-inspect beside mitmproxy") from None
    finally:
        wheel.started()
    return RunningMitmdump(process)


def steering_words(number: int) -> list[str]:
    """Return what mitmdump takes to be steered over the open socket of that number."""
    return ["-s", str(STEERING), "--set", f"steering={number}"]


def set_words(options: Mapping[str, object]) -> Iterator[str]:
    """Yield options as mitmdump takes them: true and false in lower case, a list as several."""
    for name, value in options.items():
        for each in value if isinstance(value, list | tuple) else (value,):
            yield "--set"
            yield f"{name}={str(each).lower() if isinstance(each, bool) else each}"
