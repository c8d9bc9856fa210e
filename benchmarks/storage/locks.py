"""Locks of folders: one runner at a time works in a folder, on this machine and on others.

A claim consists of two locks. The lock of the kernel (`flock`) is free as soon as its holder dies, whatever the cause.
It works on one machine, and on a shared file system that transmits locks (NFSv4, GPFS, Lustre with `-o flock`).

The second lock is a lease, which its holder renews every 20 seconds. It works on a file system that transmits no
locks: another machine sees that the folder is taken, and takes it over one minute after the last renewal. A lease has
one limit: a machine without a connection for one minute loses its job, and ends the job when it notices.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, LeaseCompromise, SoftFileLease, Timeout

LEASE = 60.0
"""Seconds after the last renewal until another machine takes the folder over."""


def lock_path(folder: Path) -> Path:
    """Return the path of the lock that a runner holds while it works in a folder."""
    return folder / ".lock"


def lease_path(folder: Path) -> Path:
    """Return the path of the lease that a runner renews while it works in a folder."""
    return folder / ".lease"


@contextmanager
def claim(folder: Path, on_loss: Callable[[], None], wait: float = 1.0) -> Iterator[bool]:
    """Claim a folder until the context ends.

    Args:
        folder: An existing folder.
        on_loss: Called if another machine takes the folder over because this machine seems dead.
        wait: Seconds to wait for a process that holds the lock only to look whether the folder is taken.

    Yields:
        Whether the folder was free.
    """

    def lost(_: LeaseCompromise) -> None:
        on_loss()

    with ExitStack() as held:
        try:
            held.enter_context(FileLock(lock_path(folder)).acquire(timeout=wait))
            host, _ = _read_lease(folder)
            if host == socket.gethostname():
                lease_path(folder).unlink(
                    missing_ok=True
                )  # of a dead process: on one machine the lock of the kernel decides
            patience = LEASE + 10 if host not in ("", socket.gethostname()) else wait
            lease = SoftFileLease(lease_path(folder), lease_duration=LEASE, on_compromise=lost)
            held.enter_context(lease.acquire(timeout=patience))
        except Timeout:
            held.close()
            yield False
            return
        yield True


def is_claimed(folder: Path) -> bool:
    """Return whether a runner works in a folder now."""
    if not lock_path(folder).is_file():
        return False
    lock = FileLock(lock_path(folder))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return _has_lease_of_another_machine(folder)


def _has_lease_of_another_machine(folder: Path) -> bool:
    """Return whether another machine has renewed its lease within `LEASE`; the clocks may differ by less than that."""
    host, renewed = _read_lease(folder)
    return host not in ("", socket.gethostname()) and time.time() - renewed < LEASE


def _read_lease(folder: Path) -> tuple[str, float]:
    """Return the machine that holds the lease, and the time of its last renewal; "" and 0 where there is no lease."""
    path = lease_path(folder)
    try:
        renewed, owner = path.stat().st_mtime, path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return "", 0.0  # no lease, or one that was removed meanwhile
    host = next((line.removeprefix("host=") for line in owner.splitlines() if line.startswith("host=")), "")
    return host.partition("?")[0], renewed  # the rest names a container of the machine
