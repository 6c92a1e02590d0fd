#!/usr/bin/python3
"""port_losses.py - what the kernel could not put into the rings of a process's packet sockets since it was last asked.

    port_losses.py PID    one line for each interface: "wan0 0"

A gateway behind AF_PACKET takes frames from a ring that the kernel fills. Where the machine does not let it run for
longer than the ring lasts, frames are lost before they were given to it, and no counter of its own can tell. The
kernel counts them for each socket (PACKET_STATISTICS of packet(7), which begins anew with each look); the socket is
borrowed from the process for that.
"""
import ctypes
import os
import socket
import stat
import struct
import sys
from collections import Counter

SYS_PIDFD_OPEN, SYS_PIDFD_GETFD = 434, 438
SOL_PACKET, PACKET_STATISTICS = 263, 6


def system_call(libc, *arguments):
    result = libc.syscall(*arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def sockets(pid):
    libc = ctypes.CDLL(None, use_errno=True)
    process = system_call(libc, SYS_PIDFD_OPEN, pid, 0)
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            if stat.S_ISSOCK(os.stat(f"/proc/{pid}/fd/{number}").st_mode):
                yield socket.socket(fileno=system_call(libc, SYS_PIDFD_GETFD, process, int(number), 0))
        except FileNotFoundError:
            continue  # closed meanwhile


def main():
    losses = Counter()
    for s in sockets(int(sys.argv[1])):
        with s:
            if s.family != socket.AF_PACKET:
                continue
            _, lost = struct.unpack_from("II", s.getsockopt(SOL_PACKET, PACKET_STATISTICS, 12))
            losses[s.getsockname()[0]] += lost
    if not losses:
        sys.exit(f"process {sys.argv[1]} has no packet socket")
    for name, lost in sorted(losses.items()):
        print(name, lost)


if __name__ == "__main__":
    main()
