"""What the requests of arp(7) answer: arp_requests.py ADDRESS-OF-NOBODY INTERFACE. Run by root."""
import errno
import fcntl
import os
import socket
import struct
import sys

SIOCDARP, SIOCGARP, SIOCSARP = 0x8953, 0x8954, 0x8955
host, device = sys.argv[1:]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def ask(what, request, host=host, family=2, mac=b"", flags=0, device=device, hardware=1):
    data = struct.pack("=HH4s8x", family, 0, socket.inet_aton(host)) + struct.pack("=H14s", hardware, mac) + struct.pack("=i16s16s", flags, b"", device.encode())
    try:
        data = fcntl.ioctl(s, request, data)
        print(what, data[16:24].hex(), struct.unpack("=i", data[32:36])[0])
    except OSError as error:
        print(what, errno.errorcode.get(error.errno))


mac = bytes.fromhex("020000000007")
ask("get, unknown", SIOCGARP)
ask("set", SIOCSARP, mac=mac, flags=2)
ask("get", SIOCGARP)
ask("get without a device", SIOCGARP, device="")
ask("no family", SIOCSARP, family=0, mac=mac, flags=2)
ask("other hardware", SIOCSARP, mac=mac, flags=2, hardware=32)
ask("a mask", SIOCSARP, mac=mac, flags=0x20)
ask("no route", SIOCGARP, host="192.0.2.1", device="")
ask("no such device", SIOCGARP, device="none0")
ask("drop", SIOCDARP)
ask("drop again", SIOCDARP)
os.setuid(65534)
ask("set as another user", SIOCSARP, mac=mac, flags=2)
