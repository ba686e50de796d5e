# flow_labels.py FAR: IPV6_FLOWLABEL_MGR: leases, who may share them, and who may send with what: a line a question.
import ctypes
import errno
import os
import socket
import struct
import sys

far = sys.argv[1]
libc = ctypes.CDLL(None, use_errno=True)
MGR, SEND, FLOWINFO = 32, 33, 11  # IPV6_FLOWLABEL_MGR, IPV6_FLOWINFO_SEND, IPV6_FLOWINFO
GET, PUT, RENEW = 0, 1, 2
EXCLUSIVE, PROCESS, USER, ANYBODY = 1, 2, 3, 255
CREATE, ALONE, REFLECT, REMOTE = 1, 2, 4, 8
LABEL = 0


def told(name, ask):
    try:
        answer = ask()
    except OSError as error:
        answer = errno.errorcode[error.errno]
    print(name, answer, flush=True)


def request(label, action=GET, share=EXCLUSIVE, flags=CREATE, expires=0, linger=0, to=far):
    return socket.inet_pton(socket.AF_INET6, to) + struct.pack("!I", label) + struct.pack("=BBHHHI", action, share, flags, expires, linger, 0)


def make(kind=socket.SOCK_DGRAM):
    made = socket.socket(socket.AF_INET6, kind)
    made.settimeout(5)
    made.setsockopt(socket.IPPROTO_IPV6, SEND, 1)
    return made


def manage(of, *values, **named):
    return of.setsockopt(socket.IPPROTO_IPV6, MGR, request(*values, **named))


def get(of, action=GET, flags=0):
    value, length = ctypes.create_string_buffer(request(0, action, flags=flags), 32), ctypes.c_uint(32)
    if libc.getsockopt(of.fileno(), socket.IPPROTO_IPV6, MGR, value, ctypes.byref(length)):
        raise OSError(ctypes.get_errno(), "")
    return socket.inet_ntop(socket.AF_INET6, value.raw[:16]), value.raw[16:22].hex(), struct.unpack("=H", value.raw[26:28])[0]


def chosen():
    global LABEL
    value = ctypes.create_string_buffer(request(0), 32)
    if libc.setsockopt(a.fileno(), socket.IPPROTO_IPV6, MGR, value, 32):
        raise OSError(ctypes.get_errno(), "")
    LABEL = struct.unpack("!I", value.raw[16:20])[0]
    return 0 < LABEL < 0x100000, a.sendto(b"x", (far, 4068, LABEL, 0))


def send(of, label):
    return lambda: of.sendto(b"x", (far, 4068, label, 0))


def send_by_message(of, label):
    return lambda: of.sendmsg([b"x"], [(socket.IPPROTO_IPV6, FLOWINFO, struct.pack("!I", label))], 0, (far, 4068))


a, b = make(), make()
told("send", send(a, 5))
told("short", lambda: a.setsockopt(socket.IPPROTO_IPV6, MGR, bytes(31)))
for name, values in {
    "unknown action": dict(label=5, action=3), "too long": dict(label=0x100000), "not there": dict(label=5, flags=0),
    "for nobody": dict(label=5, share=0), "for whom": dict(label=5, share=4), "to any": dict(label=5, to="::"),
    "to IPv4": dict(label=5, to="::ffff:1.2.3.4"), "put none": dict(label=5, action=PUT), "renew none": dict(label=5, action=RENEW),
    "reflect": dict(label=5, flags=REFLECT), "reflect no more": dict(label=5, action=PUT, flags=REFLECT),
}.items():
    told(name, lambda: manage(a, **values))
told("anybody's", lambda: manage(a, 7, share=ANYBODY))
told("anybody's of b", lambda: manage(b, 7, share=ANYBODY))
told("anybody's of b alone", lambda: manage(b, 7, share=ANYBODY, flags=CREATE | ALONE))
told("anybody's twice", lambda: manage(a, 7, share=ANYBODY))
told("anybody's exclusively", lambda: manage(b, 7))
told("exclusive", lambda: manage(a, 5))
told("exclusive twice", lambda: manage(a, 5))
told("exclusive of b", lambda: manage(b, 5))
told("exclusive of b for anybody", lambda: manage(b, 5, share=ANYBODY))
for who, of, label in ("own", a, 5), ("anybody's", a, 7), ("not leased", a, 6), ("none", a, 0), ("another's", b, 5):
    told("send " + who, send(of, label))
    told("send by message " + who, send_by_message(of, label))
told("get before", lambda: get(a))
told("connect not leased", lambda: a.connect((far, 4068, 6, 0)))
told("connect", lambda: a.connect((far, 4068, 5, 0)))
told("get", lambda: get(a))
told("get put", lambda: get(a, action=PUT))
told("renew", lambda: manage(a, 5, action=RENEW, expires=30, linger=20))
told("get renewed", lambda: get(a))
told("renew of b", lambda: manage(b, 5, action=RENEW))
told("renew of b as root", lambda: manage(b, 5, action=RENEW, share=0, linger=40))
told("get renewed", lambda: get(a))
told("peer", a.getpeername)
told("put", lambda: manage(a, 5, action=PUT))
told("peer", a.getpeername)
told("put twice", lambda: manage(a, 5, action=PUT))
told("get", lambda: get(a))
told("lingers", lambda: manage(b, 5))
for share in PROCESS, USER:
    told(f"share {share}", lambda: manage(a, 0x100 + share, share=share))
    told(f"share {share} of b", lambda: manage(b, 0x100 + share, share=share))
    child = os.fork()
    if not child:
        told(f"share {share} of a child", lambda: manage(make(), 0x100 + share, share=share))
        os._exit(0)
    os.waitpid(child, 0)
t = make(socket.SOCK_STREAM)
told("TCP not leased", lambda: t.connect((far, 8080, 6, 0)))
told("TCP lease", lambda: manage(t, 0x300))
told("TCP", lambda: t.connect((far, 8080, 0x300, 0)))
told("TCP peer", t.getpeername)
told("TCP put", lambda: manage(t, 0x300, action=PUT))
told("TCP peer", t.getpeername)
told("AF_INET", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).setsockopt(socket.IPPROTO_IPV6, MGR, request(0x310)))
a = make()
told("chosen", chosen)
with open("/proc/net/ip6_flowlabel") as file:
    print(file.readline().split(), sorted(line.split()[:2] for line in file if not line.startswith("%05X" % LABEL)))
