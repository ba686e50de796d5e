# anycast.py FAR OWN: IPV6_JOIN_ANYCAST: what is refused, what is told, and what comes in: a line a question.
import errno
import os
import socket
import struct
import sys

far, own = sys.argv[1:3]
ANYCAST, JOIN, LEAVE = "2001:db8:77::aaaa", 27, 28
index = socket.if_nametoindex("bw0")


def told(name, ask):
    try:
        answer = ask()
    except OSError as error:
        answer = errno.errorcode.get(error.errno, "timed out")
    print(name, answer, flush=True)


def request(address, interface=0):
    return socket.inet_pton(socket.AF_INET6, address) + struct.pack("=I", interface)


def list_all():
    with open("/proc/net/anycast6") as file:
        print([line.split()[1:] for line in file])


a, b = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
a.bind(("::", 4090))
a.settimeout(5)
for kind, s in (("UDP", a), ("TCP", socket.socket(socket.AF_INET6, socket.SOCK_STREAM)),
                ("raw", socket.socket(socket.AF_INET6, socket.SOCK_RAW, 99)), ("AF_INET", socket.socket(socket.AF_INET, socket.SOCK_DGRAM))):
    join = lambda *values: s.setsockopt(socket.IPPROTO_IPV6, JOIN, request(*values))
    leave = lambda *values: s.setsockopt(socket.IPPROTO_IPV6, LEAVE, request(*values))
    told(kind + " short", lambda: s.setsockopt(socket.IPPROTO_IPV6, JOIN, bytes(19)))
    for address in "ff02::5", own, "2001:db8:99::1", "::", "::1", "::ffff:10.77.0.3":
        told(f"{kind} {address}", lambda: join(address))
    told(kind + " no interface", lambda: join(ANYCAST, 99))
    told(kind + " lo", lambda: join(ANYCAST, 1))
    told(kind + " leave none", lambda: leave(ANYCAST))
    told(kind + " join", lambda: join(ANYCAST, index))
    told(kind + " twice", lambda: join(ANYCAST))
    list_all()
    told(kind + " leave", lambda: leave(ANYCAST, index))
    told(kind + " leave elsewhere", lambda: leave(ANYCAST, 99))
    list_all()
    if s != a:
        s.close()
list_all()
told("bind", lambda: b.bind((ANYCAST, 0)))
told("to itself", lambda: b.sendto(b"x", (ANYCAST, 4090)))
told("received", lambda: a.recvfrom(10)[0])
print("ready", flush=True)
os.read(0, 1)
data, control, flags, peer = a.recvmsg(100, 100)
print(data, peer[0])
a.sendto(b"answer", peer)
