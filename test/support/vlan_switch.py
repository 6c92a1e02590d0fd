#!/usr/bin/python3
"""vlan_switch.py TRUNK VLAN:TAP... - the 802.1Q end of a link, for kernels without VLAN devices: each TAP is made here
and is what untagged hosts would see of that VLAN; frames between it and TRUNK get and lose their tag. Prints "ready".
"""
import fcntl
import os
import select
import socket
import struct
import sys

ETH_P_ALL, SOL_PACKET, PACKET_AUXDATA = 3, 263, 8
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 2, 0x1000
TP_STATUS_VLAN_VALID = 0x10
PACKET_OUTGOING = 4


def make_tap(name):
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH14x", name.encode(), IFF_TAP | IFF_NO_PI))
    return fd


def receive(trunk):
    """(VLAN or 0, untagged frame); nothing for what we sent ourselves."""
    frame, ancillary, _, address = trunk.recvmsg(65536, 256)
    if address[2] == PACKET_OUTGOING:
        return None, b""
    for level, kind, data in ancillary:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, _, _, _, _, tci, _ = struct.unpack("IIIHHHH", data[:20])
            if status & TP_STATUS_VLAN_VALID:
                return tci & 0xFFF, frame
    if frame[12:14] == b"\x81\x00":
        return struct.unpack(">H", frame[14:16])[0] & 0xFFF, frame[:12] + frame[16:]
    return 0, frame


def main():
    trunk = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    trunk.bind((sys.argv[1], ETH_P_ALL))
    trunk.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    taps = {}
    for pair in sys.argv[2:]:
        vlan, name = pair.split(":")
        taps[int(vlan)] = make_tap(name)
    vlan_of = {fd: vlan for vlan, fd in taps.items()}
    print("ready", flush=True)
    while True:
        for ready in select.select([trunk, *vlan_of], [], [])[0]:
            if ready is trunk:
                vlan, frame = receive(trunk)
                if vlan in taps:
                    os.write(taps[vlan], frame)
            else:
                frame = os.read(ready, 65536)
                trunk.send(frame[:12] + struct.pack(">HH", 0x8100, vlan_of[ready]) + frame[12:])


main()
