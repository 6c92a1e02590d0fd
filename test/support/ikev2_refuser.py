#!/usr/bin/python3
"""ikev2_refuser ADDRESS NOTIFY - answers every IKE_SA_INIT with one unprotected notify of that number (RFC 7296 3.10).

For refusals that no strongSwan sends, as Tencent's UNSUPPORTED_CRITICAL_PAYLOAD to a gateway it does not know.
"""
import socket
import struct
import sys


def main():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((sys.argv[1], 500))
    print("ready", flush=True)
    while True:
        data, source = s.recvfrom(65535)
        if len(data) < 28 or data[17] != 0x20 or data[18] != 34 or data[19] & 0x20:
            continue
        notify = struct.pack(">BBHBBH", 0, 0, 8, 0, 0, int(sys.argv[2]))
        s.sendto(data[:8] + bytes(8) + struct.pack(">BBBBII", 41, 0x20, 34, 0x20, 0, 28 + len(notify)) + notify, source)
        print(f"refused {source[0]}", flush=True)


main()
