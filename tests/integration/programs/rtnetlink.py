"""What rtnetlink(7) answers, as lines to compare: rtnetlink.py INTERFACE ITS-ADDRESS. Values that time changes are left out."""
import os, socket, struct, sys, time

NAMES = {
    16: "LINK", 20: "ADDR", 24: "ROUTE", 28: "NEIGH", 32: "RULE", 2: "ERROR", 3: "DONE",
}
HEADERS = {"LINK": "BxHiII", "ADDR": "BBBBI", "ROUTE": "BBBBBBBBI", "NEIGH": "BxxxiHBB", "RULE": "BBBBBBBBI"}
VOLATILE = {
    "LINK": {1, 7, 13, 23, 27, 30, 31, 32, 35, 40, 41, 47, 48},
    "ADDR": {6}, "ROUTE": {12}, "NEIGH": {3, 4}, "RULE": set(),
}
# Of links each kernel has more than the last, in another order: these are in all of them.
LINK_ATTRIBUTES = {1, 2, 3, 4, 6, 7, 13, 14, 16, 17, 23, 27, 30, 31, 32, 33, 35, 39, 40, 41, 47, 48, 50, 51, 61}


def attributes(data, kind):
    told = []
    while len(data) >= 4:
        length, attribute = struct.unpack("=HH", data[:4])
        if length < 4:
            break
        value = data[4:length]
        attribute &= 0x3FFF
        if kind != "LINK" or attribute in LINK_ATTRIBUTES:
            told.append(f"{attribute}:{len(value)}" + ("" if attribute in VOLATILE[kind] else "=" + value.hex()))
        data = data[(length + 3) & ~3:]
    return " ".join(sorted(told) if kind == "LINK" else told)


def messages(s):
    while True:
        data = received = s.recv(65536)
        while data:
            length, kind, flags, sequence, port = struct.unpack("=IHHII", data[:16])
            if kind == 3 and struct.unpack("=H", received[4:6])[0] in (16, 20, 24):  # of neighbours kernels differ
                print("  the end comes with what is before it")
            yield kind, flags, data[16:length]
            if kind in (2, 3) or not flags & 2:
                return
            data = data[(length + 3) & ~3:]


def ask(what, kind, flags, body, options=()):
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    s.settimeout(3)
    for option in options:
        s.setsockopt(270, option, 1)
    s.send(struct.pack("=IHHII", 16 + len(body), kind, 1 | flags, 1, 0) + body)
    print(f"{what}:")
    try:
        for kind, flags, data in messages(s):
            name = NAMES[kind]
            if name == "ERROR":
                error = struct.unpack("=i", data[:4])[0]
                print("  error", os.strerror(-error) if error else 0, hex(flags), len(data))
            elif name == "DONE":
                print("  done", hex(flags), data[:4].hex())
            else:
                size = struct.calcsize("=" + HEADERS[name])
                header = struct.unpack("=" + HEADERS[name], data[:size])
                if name == "LINK":
                    header = (*header[:3], hex(header[3] & ~0x10000), header[4])
                print(" ", name, hex(flags), header, attributes(data[size:], name))
    except TimeoutError:
        print("  nothing")
    s.close()


def attribute(kind, value):
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


DUMP = 0x300
index = socket.if_nametoindex(sys.argv[1])
inet = socket.inet_aton


def route(destination, length=32, source=None, flags=0, extra=b""):
    body = struct.pack("=BBBBBBBBI", 2, length, 32 if source else 0, 0, 0, 0, 0, 0, flags)
    return body + attribute(1, inet(destination)) + (attribute(2, inet(source)) if source else b"") + extra


def main():
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"", ("10.77.0.2", 9))  # makes a neighbour
    time.sleep(0.2)
    link = lambda index=0, extra=b"": struct.pack("=BxHiII", 0, 0, index, 0, 0) + extra
    ask("links", 18, DUMP, link())
    ask("links, short", 18, DUMP, b"\0")
    ask("link by index", 18, 0, link(index))
    ask("link by name", 18, 0, link(0, attribute(3, sys.argv[1].encode() + b"\0")))
    ask("link by no name", 18, 0, link(0, attribute(3, b"none\0")))
    ask("link by none", 18, 0, link())
    ask("link, acknowledged", 18, 4, link(index))
    for family in (0, 2, 7, 17):
        ask(f"addresses of family {family}", 22, DUMP, struct.pack("=BBBBI", family, 0, 0, 0, 0))
    ask("addresses of an interface", 22, DUMP, struct.pack("=BBBBI", 2, 0, 0, 0, index), [12])
    ask("addresses of an interface, not strictly", 22, DUMP, struct.pack("=BBBBI", 2, 0, 0, 0, index))
    ask("addresses of none, strictly", 22, DUMP, struct.pack("=BBBBI", 2, 0, 0, 0, 9999), [12])
    ask("address, no dump", 22, 0, struct.pack("=BBBBI", 2, 0, 0, 0, index))
    for family in (2,):
        ask(f"routes of family {family}", 26, DUMP, struct.pack("=BBBBBBBBI", family, 0, 0, 0, 0, 0, 0, 0, 0))
    ask("routes of the table main", 26, DUMP, struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 254, 0, 0, 0, 0), [12])
    ask("routes of the table local", 26, DUMP, struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 255, 0, 0, 0, 0), [12])
    ask("routes of no table", 26, DUMP, struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 77, 0, 0, 0, 0), [12])
    ask("routes that are cached", 26, DUMP, struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 0, 0, 0, 0, 0x200))
    ask("routes out of the interface", 26, DUMP,
        struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 0, 0, 0, 0, 0) + attribute(4, struct.pack("=I", index)), [12])
    ask("routes by a protocol", 26, DUMP, struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 0, 2, 0, 0, 0), [12])
    for to in ("10.77.0.2", sys.argv[2], "9.9.9.9", "127.0.0.1", "10.77.0.255", "224.0.0.1", "255.255.255.255", "0.0.0.0"):
        ask(f"route to {to}", 26, 0, route(to))
    ask("route, acknowledged", 26, 4, route("10.77.0.2"))
    ask("route from an address", 26, 0, route("10.77.0.2", source=sys.argv[2]))
    ask("route from a stranger", 26, 0, route("10.77.0.2", source="9.9.9.9"))
    ask("route out of the interface", 26, 0, route("9.9.9.9", extra=attribute(4, struct.pack("=I", index))))
    ask("route in the table", 26, 0, route("9.9.9.9", flags=0x2000))
    ask("route in the table, direct", 26, 0, route("10.77.0.2", flags=0x2000))
    ask("route with its table", 26, 0, route("10.77.0.2", flags=0x1000))
    ask("route to nothing", 26, 0, struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 0, 0, 0, 0, 0))
    ask("rules", 34, DUMP, struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 0, 0, 0, 0, 0))
    near = lambda extra=b"", flags=0: struct.pack("=BxxxiHBB", 2, index, 0, flags, 0) + extra
    ask("neighbour", 30, 0, near(attribute(1, inet("10.77.0.2"))))
    ask("neighbour that is not there", 30, 0, near(attribute(1, inet("10.77.0.99"))))
    ask("neighbours of the interface", 30, DUMP,
        struct.pack("=BxxxiHBB", 2, 0, 0, 0, 0) + attribute(8, struct.pack("=I", index)), [12])
    ask("neighbours of lo", 30, DUMP,
        struct.pack("=BxxxiHBB", 2, 0, 0, 0, 0) + attribute(8, struct.pack("=I", 1)), [12])
    ask("neighbours of proxies", 30, DUMP, struct.pack("=BxxxiHBB", 2, 0, 0, 8, 0))
    ask("nothing that is known", 58, 4, bytes(20))
    ask("no request", 26, DUMP, b"")


main()
