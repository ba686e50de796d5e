"""What a socket that wants to hear of errors is told of a datagram that is too long to be sent whole, and of one to a port that is closed\nthere: error_queue.py ADDRESS."""
import errno
import select
import socket
import struct
import sys

IP_MTU_DISCOVER, IP_RECVERR, IP_HDRINCL = 10, 11, 3
IPV6_MTU_DISCOVER, IPV6_RECVERR = 23, 25
MSG_ERRQUEUE = 0x2000
host, other = sys.argv[1:]
six = ":" in host
family = socket.AF_INET6 if six else socket.AF_INET
level, discover, receive = (41, IPV6_MTU_DISCOVER, IPV6_RECVERR) if six else (0, IP_MTU_DISCOVER, IP_RECVERR)


def tell(name, s):
    ready = select.poll()
    ready.register(s)
    print(" ", name, "pending", s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), "ready", hex(dict(ready.poll(0)).get(s.fileno(), 0)))
    try:
        data, control, flags, address = s.recvmsg(100, 512, MSG_ERRQUEUE | socket.MSG_DONTWAIT)
    except OSError as error:
        print("   nothing:", errno.errorcode[error.errno])
        return
    options = [(a, b, c.hex()) for a, b, c in control if (a, b) != (level, receive) and (a, b) not in ((0, 8), (41, 50))]
    infos = [len(c) for a, b, c in control if (a, b) in ((0, 8), (41, 50))]
    told = [(a, b, struct.unpack("=IBBBBII", c[:16]), c[16:18].hex()) for a, b, c in control if (a, b) == (level, receive)]
    print("   told", len(data), told, infos, options, hex(flags), address[0] in (host, other), address[1] if s.type == socket.SOCK_DGRAM and s.proto != 58 else "")


def attempt(name, s, data, to, wants=True, whole=2):
    s.setsockopt(level, receive, wants)
    s.setsockopt(level, discover, whole)
    try:
        s.sendto(data, to) if to else s.send(data)
        print(name, "is sent")
    except OSError as error:
        print(name, errno.errorcode[error.errno])
    tell(name, s)


def connected(s):
    s.connect((host, 9999))
    return s


udp = lambda: socket.socket(family, socket.SOCK_DGRAM)
raw = lambda protocol: socket.socket(family, socket.SOCK_RAW, protocol)
attempt("udp", udp(), bytes(1473), (host, 9999))
attempt("udp that probes", udp(), bytes(1473), (host, 9999), whole=3)
attempt("udp that does not ask", udp(), bytes(1473), (host, 9999), wants=False)
attempt("udp, connected", connected(udp()), bytes(3000), None)
attempt("udp, connected, elsewhere", connected(udp()), bytes(3000), (host, 9998))
attempt("ping", socket.socket(family, socket.SOCK_DGRAM, 58 if six else 1), bytes([128 if six else 8]) + bytes(2999), (host, 0))
attempt("raw", raw(253), bytes(1481), (host, 0))
if not six:
    with_header = raw(255)
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 1600, 1, 0, 64, 253, 0, bytes(4), socket.inet_aton(host))
    attempt("raw with its header", with_header, header + bytes(1580), (host, 0))
    with_options = udp()
    with_options.setsockopt(0, 4, bytes([7, 7, 4, 0, 0, 0, 0, 0]))
    attempt("udp with options", with_options, bytes(1470), (host, 9999))


def closed(name, s):
    s.setsockopt(level, receive, 1)
    for option in (49, 51, 66) if six else (8, 12, 13):
        s.setsockopt(level, option, 1)
    s.sendto(b"hello", (other, 9))
    ready = select.poll()
    ready.register(s, 0)
    ready.poll(3000)
    tell(name, s)


closed("closed port", udp())
