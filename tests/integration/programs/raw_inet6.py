# raw_inet6.py FAR OWN: what raw sockets of IPv6 take and say, and the time of what was read last: a line a question.
import ctypes
import errno
import fcntl
import socket
import struct
import sys
import time

far, own = sys.argv[1:3]
ECHO = b"\x80\0\0\0\x12\x34\0\1abcdefgh"
IPV6_CHECKSUM, ICMP6_FILTER, SIOCGSTAMP, SIOCGSTAMPNS = 7, 1, 0x8906, 0x8907
libc = ctypes.CDLL(None, use_errno=True)


def told(name, ask):
    try:
        answer = ask()
    except OSError as error:
        answer = errno.errorcode.get(error.errno, "timed out")
    print(name, answer, flush=True)


def raw(protocol):
    made = socket.socket(socket.AF_INET6, socket.SOCK_RAW, protocol)
    made.settimeout(0.5)
    return made


def send_to(sender, address):
    sent = libc.sendto(sender.fileno(), ECHO, len(ECHO), 0, address, len(address))
    return sent if sent >= 0 else errno.errorcode[ctypes.get_errno()]


# The port of an address is the protocol, or nothing.
for protocol in (99, socket.IPPROTO_ICMPV6, socket.IPPROTO_RAW):
    s = raw(protocol)
    for port in (0, protocol, 1, 256, 99, 65535):
        told(f"raw {protocol} port {port}", lambda: s.sendto(ECHO, (far, port)))
    for length in (65535, 66000, 0, 1, 2):
        told(f"raw {protocol} {length} bytes", lambda: s.sendto(bytes(length), (far, 0)))
    told(f"raw {protocol} mapped", lambda: s.sendto(ECHO, ("::ffff:10.77.0.2", 0)))
    told(f"raw {protocol} not connected", lambda: s.send(ECHO))
    four = struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton("10.77.0.2"))
    six = struct.pack("=HHI16s", socket.AF_INET6, 0, 0, socket.inet_pton(socket.AF_INET6, far))
    for name, address in (("AF_INET", four), ("AF_INET long", four + bytes(12)), ("AF_UNSPEC", bytes(2) + six[2:]),
                          ("without scope", six), ("short", six[:8]), ("unknown family", b"\7\0" + six[2:])):
        told(f"raw {protocol} {name}", lambda: send_to(s, address))
    told(f"raw {protocol} bind mapped", lambda: s.bind(("::ffff:10.77.0.2", 0)))
    told(f"raw {protocol} bind elsewhere", lambda: s.bind(("2001:db8:99::1", 0)))
    told(f"raw {protocol} bind", lambda: s.bind(("::", 77)))
    told(f"raw {protocol} name", s.getsockname)
    told(f"raw {protocol} connect", lambda: s.connect((far, 1234)))
    told(f"raw {protocol} peer", s.getpeername)
    told(f"raw {protocol} connected, another port", lambda: s.sendto(ECHO, (far, 7)))
    time.sleep(0.1)
    s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # the far side may have told of the last, or not: not too often
    told(f"raw {protocol} connected", lambda: s.send(ECHO))

# IPV6_CHECKSUM: who sets it sends right sums, and is given no wrong ones.
for where in (own, "::1"):
    s, any_sum = raw(99), raw(99)
    told(f"{where} set", lambda: s.setsockopt(socket.IPPROTO_IPV6, IPV6_CHECKSUM, 2))
    told(f"{where} send", lambda: s.sendto(b"\1\2\0\0abcdefg", (where, 0)))
    told(f"{where} received", lambda: s.recv(100).hex())
    told(f"{where} too short", lambda: s.sendto(b"\1\2\0", (where, 0)))
    if where == own:
        told(f"{where} received by any", lambda: any_sum.recv(100).hex())
        told(f"{where} wrong", lambda: any_sum.sendto(b"\1\2\0\0abcdefg", (where, 0)))
        told(f"{where} wrong received by any", lambda: any_sum.recv(100).hex())
        told(f"{where} wrong received", lambda: s.recv(100).hex())
    for place in (3, -2, 4):
        told(f"{where} at {place}", lambda: s.setsockopt(socket.IPPROTO_IPV6, IPV6_CHECKSUM, place))
        told(f"{where} is", lambda: s.getsockopt(socket.IPPROTO_IPV6, IPV6_CHECKSUM))

# A filter goes along to where ::1 is.
s = raw(socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_ICMPV6, ICMP6_FILTER, b"\xff" * 32)
s.sendto(ECHO, ("::1", 0))
told("filtered", lambda: s.recv(100).hex())


def stamp(of, request):
    seconds, rest = struct.unpack("qq", fcntl.ioctl(of, request, bytes(16)))
    return abs(time.time() - seconds) < 5 and 0 <= rest < (1000000 if request == SIOCGSTAMP else 1000000000)


for family, address in ((socket.AF_INET6, own), (socket.AF_INET, "10.77.0.77")):
    told("no stream's stamp", lambda: stamp(socket.socket(family, socket.SOCK_STREAM), SIOCGSTAMP))
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.bind((address, 0))
    for turn in range(2):
        told("stamp", lambda: stamp(s, SIOCGSTAMP))
        told("stamp in nanoseconds", lambda: stamp(s, SIOCGSTAMPNS))
        s.sendto(b"x", s.getsockname())
        told("received", lambda: s.recv(9))
