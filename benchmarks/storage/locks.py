"""Who may work in a folder: one runner at a time, on this machine and on others.

A claim is two locks. The kernel's (`flock`) is free in the instant in which its holder dies, however it dies,
and holds on one machine and over a file system that passes it on (NFSv4, GPFS, Lustre with `-o flock`). Beside
it a lease is renewed every 20 seconds: where the file system passes no lock on, another machine sees that the
folder is taken, and takes over a minute after the last renewal. What the lease cannot give is what no heartbeat
can: a machine that is cut off for a minute and comes back finds its job taken over, and ends it.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, LeaseCompromise, SoftFileLease, Timeout

LEASE = 60.0
"""Seconds without a renewal after which another machine takes a folder over."""


def lock_path(folder: Path) -> Path:
    """The lock that a runner holds while it works in a folder."""
    return folder / ".lock"


def lease_path(folder: Path) -> Path:
    """The lease that a runner renews while it works in a folder."""
    return folder / ".lease"


@contextmanager
def claim(folder: Path, on_loss: Callable[[], None], wait: float = 1.0) -> Iterator[bool]:
    """Claims a folder for as long as the context lasts.

    Args:
        folder: The folder, which is there.
        on_loss: Called where another machine took the folder over because this one seemed dead.
        wait: Seconds to wait for who only looks whether it is taken.

    Yields:
        Whether the folder was free.
    """

    def lost(_: LeaseCompromise) -> None:
        on_loss()

    with ExitStack() as held:
        try:
            held.enter_context(FileLock(lock_path(folder)).acquire(timeout=wait))
            host, _ = _renewed(folder)
            if host == socket.gethostname():
                lease_path(folder).unlink(missing_ok=True)  # of the dead: on one machine the kernel's lock is the judge
            patience = LEASE + 10 if host not in ("", socket.gethostname()) else wait
            lease = SoftFileLease(lease_path(folder), lease_duration=LEASE, on_compromise=lost)
            held.enter_context(lease.acquire(timeout=patience))
        except Timeout:
            held.close()
            yield False
            return
        yield True


def is_claimed(folder: Path) -> bool:
    """Whether a runner is at work in a folder right now."""
    if not lock_path(folder).is_file():
        return False
    lock = FileLock(lock_path(folder))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return _of_another_machine(folder)


def _of_another_machine(folder: Path) -> bool:
    """Whether a lease of another machine was renewed lately; clocks that differ by less than it are no matter."""
    host, renewed = _renewed(folder)
    return host not in ("", socket.gethostname()) and time.time() - renewed < LEASE


def _renewed(folder: Path) -> tuple[str, float]:
    """The machine that a lease is of, and when it was renewed; "" and 0 where there is none."""
    path = lease_path(folder)
    try:
        renewed, owner = path.stat().st_mtime, path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return "", 0.0  # it went in this instant
    host = next((line.removeprefix("host=") for line in owner.splitlines() if line.startswith("host=")), "")
    return host.partition("?")[0], renewed  # what follows names a container of the machine
