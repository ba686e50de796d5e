# packets6.py INTERFACE TARGET: fragments, headers and neighbours' messages, right and wrong ones, and what each is answered: a line a
# case. By the RFCs' cases: 8200, 5722, 6946, 6980, 7112, 8021 for fragments, 4861 and 4862 for neighbours. Wants scapy.
import socket
import sys
import time

from scapy.all import (ICMPv6DestUnreach, ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6NDOptDstLLAddr, ICMPv6NDOptPrefixInfo,
                       ICMPv6NDOptSrcLLAddr, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6ND_Redirect, ICMPv6PacketTooBig,
                       ICMPv6ParamProblem, ICMPv6TimeExceeded, Ether, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop,
                       IPv6ExtHdrRouting, PadN, Raw, UDP, fragment6, in6_chksum)

interface, target = sys.argv[1:3]
OWN, OWN_MAC, OTHER, OTHER_MAC = "2001:db8:77::5", "02:00:00:00:00:05", "2001:db8:77::6", "02:00:00:00:00:06"
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind((interface, 0))
mac = "33:33:00:00:00:01"


def solicited(address):
    last = socket.inet_pton(socket.AF_INET6, address)[-3:]
    return "ff02::1:ff%02x:%02x%02x" % tuple(last), "33:33:ff:%02x:%02x:%02x" % tuple(last)


def describe(packet):
    if ICMPv6ND_NS in packet:
        return "asks for us" if packet[ICMPv6ND_NS].tgt in (OWN, OTHER) else None
    if ICMPv6ND_NA in packet:
        na = packet[ICMPv6ND_NA]
        to = packet[IPv6].dst if packet[IPv6].dst == "ff02::1" else "us"
        return f"tells of {'itself' if na.tgt == target else na.tgt} S{na.S} O{na.O} R{na.R} to {to}{' with its MAC' if ICMPv6NDOptDstLLAddr in packet else ''}"
    if ICMPv6EchoReply in packet:
        return f"echo of {len(packet[ICMPv6EchoReply].data)}"
    for kind in (ICMPv6ParamProblem, ICMPv6TimeExceeded, ICMPv6DestUnreach, ICMPv6PacketTooBig):
        if kind in packet:
            error = packet[kind]
            return f"{kind.__name__} {error.code} {getattr(error, 'ptr', '')} of {len(bytes(packet[IPv6].payload))} bytes"
    return None


def answers(seconds):
    end, seen = time.time() + seconds, []
    while (left := end - time.time()) > 0:
        wire.settimeout(left)
        try:
            frame = wire.recv(65536)
        except socket.timeout:
            break
        packet = Ether(frame)
        ours = packet.dst in (OWN_MAC, OTHER_MAC) or packet.dst.startswith("33:33")
        if ours and packet.src == mac and IPv6 in packet and (said := describe(packet)) and said not in seen:
            seen.append(said)
            if ICMPv6ND_NS in packet and packet[ICMPv6ND_NS].tgt in (OWN, OTHER):
                seen.pop()
                put(neighbour(packet[ICMPv6ND_NS].tgt, packet[IPv6].src))
    return sorted(seen)


def put(*packets):
    for packet in packets:
        wire.send(bytes(packet))


def neighbour(own, to):
    own_mac = OWN_MAC if own == OWN else OTHER_MAC
    return Ether(src=own_mac, dst=mac) / IPv6(src=own, dst=to, hlim=255) / ICMPv6ND_NA(tgt=own, S=1, O=1, R=0) / ICMPv6NDOptDstLLAddr(lladdr=own_mac)


def case(name, *packets, wait=0.25):
    answers(0.02)
    put(*packets)
    print(name + ":", "; ".join(answers(wait)) or "nothing", flush=True)


def errs(name, *packets):
    time.sleep(1.05)  # an error a second
    case(name, *packets)


def ip(**named):
    return Ether(src=OWN_MAC, dst=mac) / IPv6(**{"src": OWN, "dst": target, **named})


# Whom it is about: its MAC address; and it is told ours.
group, group_mac = solicited(target)
put(Ether(src=OWN_MAC, dst=group_mac) / IPv6(src=OWN, dst=group, hlim=255) / ICMPv6ND_NS(tgt=target) / ICMPv6NDOptSrcLLAddr(lladdr=OWN_MAC))
end = time.time() + 3
while time.time() < end:
    packet = Ether(wire.recv(65536))
    if ICMPv6ND_NA in packet and packet[ICMPv6ND_NA].tgt == target:
        mac = packet.src
        break


def echo(length, ident=1):
    packet = IPv6(src=OWN, dst=target) / ICMPv6EchoRequest(id=ident, seq=1, data=bytes(length))
    return bytes(packet)[40:]


def pieces(payload, cuts, ident, more=None, order=None, next_header=58, before=None):
    made = []
    for at, end in cuts:
        last = end >= len(payload) if more is None else not more[len(made)]
        header = ip() / before if before is not None else ip()
        made.append(header / IPv6ExtHdrFragment(nh=next_header, offset=at // 8, m=not last, id=ident) / Raw(payload[at:end]))
    return [made[i] for i in order] if order else made


ping = echo(200)
case("echo", ip(nh=58) / Raw(ping))
case("fragments", *pieces(ping, [(0, 104), (104, 208)], 1))
case("fragments, the last first", *pieces(ping, [(0, 104), (104, 208)], 2, order=[1, 0]))
case("fragments, three in any order", *pieces(ping, [(0, 64), (64, 128), (128, 208)], 3, order=[2, 0, 1]))
case("fragments, one twice", *pieces(ping, [(0, 104), (0, 104), (104, 208)], 4))
case("fragments that overlap", *pieces(ping, [(0, 104), (96, 208)], 5))
case("fragments that overlap, the last first", *pieces(ping, [(0, 104), (96, 208)], 6, order=[1, 0]))
case("fragments, one within another", *pieces(ping, [(0, 104), (16, 48), (104, 208)], 7, more=[1, 1, 0]))
case("fragments, the rest after an overlap", *pieces(ping, [(0, 104), (96, 120), (104, 208)], 8, more=[1, 1, 0]))
case("fragments, beyond the last", *pieces(ping + bytes(64), [(104, 208), (208, 264), (0, 104)], 9, more=[0, 1, 1]))
case("fragments, two last ones", *pieces(ping, [(104, 208), (64, 128), (0, 104)], 10, more=[0, 0, 1]))
case("an atomic fragment", *pieces(ping, [(0, 208)], 11))
case("an atomic fragment beside fragments of its number", *(pieces(ping, [(0, 104)], 12, more=[1]) + pieces(ping, [(0, 208)], 12)))
case("a fragment that stays alone", *pieces(ping, [(0, 104)], 13, more=[1]))
errs("a fragment whose length is no multiple of 8", *pieces(ping, [(0, 101)], 14, more=[1]))
errs("a fragment beyond 65,535", ip() / IPv6ExtHdrFragment(nh=58, offset=8191, m=0, id=15) / Raw(bytes(64)))
case("a fragment without anything", *pieces(b"", [(0, 0)], 16, more=[1]))
case("fragments, options before", *pieces(ping, [(0, 104), (104, 208)], 17, before=IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(4))])))
options = bytes(IPv6ExtHdrDestOpt(nh=58, options=[PadN(optdata=bytes(4))]))
case("fragments, options within", *pieces(options + ping, [(0, 104), (104, 216)], 18, next_header=60))
errs("fragments, headers beyond the first", *pieces(options + ping, [(0, 8), (8, 216)], 19, next_header=60))
errs("fragments, hop-by-hop options within", *pieces(bytes(IPv6ExtHdrHopByHop(nh=58, options=[PadN(optdata=bytes(4))])) + ping, [(0, 104), (104, 216)], 20, next_header=0))
case("fragments of a solicitation", *pieces(bytes(IPv6(src=OWN, dst=target, hlim=255) / ICMPv6ND_NS(tgt=target) / ICMPv6NDOptSrcLLAddr(lladdr=OWN_MAC))[40:], [(0, 16), (16, 32)], 21))

# Headers.
errs("an unknown next header", ip(nh=199) / Raw(bytes(8)))
errs("an unknown option that is told of", ip() / IPv6ExtHdrDestOpt(nh=58, options=[PadN(otype=0x9e, optdata=bytes(4))]) / Raw(ping))
case("an unknown option that is skipped", ip() / IPv6ExtHdrDestOpt(nh=58, options=[PadN(otype=0x1e, optdata=bytes(4))]) / Raw(ping))
case("an unknown option that is dropped", ip() / IPv6ExtHdrDestOpt(nh=58, options=[PadN(otype=0x5e, optdata=bytes(4))]) / Raw(ping))
errs("hop-by-hop options in the second place", ip() / IPv6ExtHdrDestOpt(nh=0, options=[PadN(optdata=bytes(4))]) / IPv6ExtHdrHopByHop(nh=58, options=[PadN(optdata=bytes(4))]) / Raw(ping))
errs("a routing header of type 0", ip() / IPv6ExtHdrRouting(type=0, segleft=1, addresses=[OTHER], nh=58) / Raw(ping))
case("a routing header at its end", ip() / IPv6ExtHdrRouting(type=0, segleft=0, addresses=[OTHER], nh=58) / Raw(ping))
case("no next header", ip(nh=59) / Raw(bytes(8)))
errs("a port where nobody is", ip() / UDP(sport=9, dport=9) / Raw(bytes(8)))
case("UDP without a checksum", ip() / UDP(sport=9, dport=9, chksum=0) / Raw(bytes(8)))
case("a wrong checksum", ip() / ICMPv6EchoRequest(id=1, cksum=0x1234))
case("from a group", ip(src="ff02::5", nh=58) / Raw(ping))
case("from nobody", ip(src="::") / ICMPv6EchoRequest(id=1))
case("to all nodes", Ether(src=OWN_MAC, dst="33:33:00:00:00:01") / IPv6(src=OWN, dst="ff02::1") / ICMPv6EchoRequest(id=1))
case("to a group of nobody's", Ether(src=OWN_MAC, dst="33:33:00:00:99:99") / IPv6(src=OWN, dst="ff02::9999") / ICMPv6EchoRequest(id=1))
errs("a port of a group", Ether(src=OWN_MAC, dst="33:33:00:00:00:01") / IPv6(src=OWN, dst="ff02::1") / UDP(sport=9, dport=9) / Raw(bytes(8)))

# Neighbours.
def ns(src=OWN, dst=None, tgt=target, hlim=255, option=True, **named):
    to = dst or group
    to_mac = mac if to == target else group_mac
    made = Ether(src=OWN_MAC, dst=to_mac) / IPv6(src=src, dst=to, hlim=hlim) / ICMPv6ND_NS(tgt=tgt, **named)
    return made / ICMPv6NDOptSrcLLAddr(lladdr=OWN_MAC) if option else made


case("a solicitation", ns())
case("a solicitation to its address", ns(dst=target))
case("a solicitation without a MAC", ns(dst=target, option=False))
case("a solicitation from elsewhere", ns(hlim=254))
case("a solicitation with a code", ns(code=1))
case("a solicitation of a group", ns(tgt="ff02::1"))
case("a solicitation of another", ns(tgt=OTHER))
case("somebody checks the address", ns(src="::", option=False))
case("somebody checks it with a MAC", ns(src="::"))
case("somebody checks it at its address", ns(src="::", dst=target, option=False))
case("a solicitation with an option without length", ns(option=False) / Raw(b"\1\0" + bytes(6)))
case("a solicitation with an option that is cut off", ns(option=False) / Raw(b"\1\2" + bytes(6)))
case("a solicitation with an unknown option", ns() / Raw(b"\x7f\1" + bytes(6)))

# What an advertisement changes: to whom the answers go.
def reached(name, *packets):
    answers(0.02)
    put(*packets, Ether(src=OTHER_MAC, dst=mac) / IPv6(src=OTHER, dst=target) / ICMPv6EchoRequest(id=1))
    end, seen = time.time() + 0.3, set()
    while (left := end - time.time()) > 0:
        wire.settimeout(left)
        try:
            packet = Ether(wire.recv(65536))
        except socket.timeout:
            break
        if packet.src == mac and ICMPv6EchoReply in packet:
            seen.add(packet.dst)
        if packet.src == mac and ICMPv6ND_NS in packet and packet[ICMPv6ND_NS].tgt == OTHER and packet.dst.startswith("33:33"):
            put(neighbour(OTHER, packet[IPv6].src))
    print(name + ":", sorted(seen), flush=True)


def na(**named):
    lladdr = named.pop("lladdr", "02:00:00:00:00:77")
    dst, to_mac, hlim = named.pop("dst", target), named.pop("to_mac", mac), named.pop("hlim", 255)
    return Ether(src=OTHER_MAC, dst=to_mac) / IPv6(src=OTHER, dst=dst, hlim=hlim) / ICMPv6ND_NA(tgt=OTHER, R=0, **named) / ICMPv6NDOptDstLLAddr(lladdr=lladdr)


reached("a neighbour")
reached("an advertisement without override", na(S=1, O=0))
reached("an advertisement from elsewhere", na(S=1, O=1, hlim=254))
reached("a solicited one to a group", na(S=1, O=1, dst="ff02::1", to_mac="33:33:00:00:00:01"))
reached("an advertisement with a group's MAC", na(S=1, O=1, lladdr="33:33:00:00:00:01"))
reached("an advertisement with override", na(S=0, O=1))
reached("and back", na(S=1, O=1, lladdr=OTHER_MAC))
reached("a redirect of no router's", Ether(src=OWN_MAC, dst=mac) / IPv6(src="fe80::5", dst=target, hlim=255) / ICMPv6ND_Redirect(tgt="fe80::77", dst=OTHER) / ICMPv6NDOptDstLLAddr(lladdr="02:00:00:00:00:77"))
