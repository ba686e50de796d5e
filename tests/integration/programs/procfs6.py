"""What files tell of IPv6 and of sockets that this program makes, as lines to compare: procfs6.py ADDRESS"""
import os, re, socket, struct, sys, time

own, far = sys.argv[1], "2001:db8:77::2"
six, datagram, raw = socket.AF_INET6, socket.SOCK_DGRAM, socket.SOCK_RAW
interface = socket.if_nametoindex("bw0")
MCAST_BLOCK_SOURCE, MCAST_JOIN_SOURCE_GROUP = 43, 46


def listener(address, port, only):
    made = socket.socket(six)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
    made.bind((address, port))
    made.listen()
    return made


def join(made, group):
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                    socket.inet_pton(six, group) + struct.pack("i", interface))


def place(address):
    return struct.pack("=HHI16sI", six, 0, 0, socket.inet_pton(six, address), 0).ljust(128, b"\0")


def source(made, option, group, address):
    made.setsockopt(socket.IPPROTO_IPV6, option, struct.pack("=II", interface, 0) + place(group) + place(address))


both, only, one = listener("::", 5001, 0), listener("::", 5002, 1), listener(own, 5003, 0)
connected = socket.socket(six)
connected.bind((own, 5004))
connected.connect((far, 8080))
waiting = socket.socket(six)
waiting.bind((own, 5005))
waiting.connect((far, 8080))
waiting.shutdown(socket.SHUT_WR)
while waiting.recv(1000):
    pass
waiting.close()  # TIME_WAIT
bound, peer, lite = socket.socket(six, datagram), socket.socket(six, datagram), socket.socket(six, datagram, 136)
bound.bind(("::", 5006))
peer.bind((own, 5007))
peer.connect((far, 5008))
lite.bind(("::", 5009))
raw6, other = socket.socket(six, raw, socket.IPPROTO_ICMPV6), socket.socket(six, raw, 253)
join(bound, "ff05::123")
join(peer, "ff05::123")
includes, excludes = socket.socket(six, datagram), socket.socket(six, datagram)
source(includes, MCAST_JOIN_SOURCE_GROUP, "ff05::124", "2001:db8:1::1")
source(includes, MCAST_JOIN_SOURCE_GROUP, "ff05::124", "2001:db8:1::2")
join(excludes, "ff05::124")
source(excludes, MCAST_BLOCK_SOURCE, "ff05::124", "2001:db8:1::1")
time.sleep(1.2)  # until the groups have been told of

names = {str(os.fstat(value.fileno()).st_ino): "inode-of-" + name
         for name, value in list(vars().items()) if isinstance(value, socket.socket) and value.fileno() >= 0}
link = next(line[:32] for line in open("/proc/net/if_inet6") if line.startswith("fe80") and "bw0" in line)
group = "ff0200000000000000000001ff" + link[-6:]


def normal(file, line):
    line = line.replace(link, "LINK").replace(group, "LINKS-GROUP")
    if file == "ipv6_route":  # how often it is used, and by whom
        return re.sub(r" (\w{8}) \w{8} \w{8} (\w{8} +\w+)$", r" \1 \2", line)
    if file in ("if_inet6", "igmp6", "mcfilter6"):
        return line.replace(" 82  ", " 80  ")  # IFA_F_NODAD: how the kernel's got its address
    line = re.sub(r"^ *\d+: ", "", line)                       # a number in the kernel's hash, or in a list
    line = re.sub(r" [0-9a-f]{8,16}\b( \d+)?( \d+ \d+ \d+ -?\d+)?$", r" pointer\1", line)
    line = re.sub(r" 0[0-9A-F]:[0-9A-F]{8} ", " timer ", line)
    line = re.sub(r" \d+ pointer.*", " references pointer", line)
    return " ".join(names.get(word, word) for word in line.split(" "))


for file in "if_inet6 ipv6_route igmp6 mcfilter6 anycast6 tcp6 udp6 udplite6 raw6 icmp6 sockstat6".split():
    lines = sorted(normal(file, line) for line in open("/proc/net/" + file).read().splitlines())
    print(f"{file}:", *lines, sep="\n  ")
print(re.sub("[0-9a-f]{4}", "HHHH", open("/proc/net/rt6_stats").read()))
for file in "snmp6", "dev_snmp6/bw0":
    lines = [line.split("\t") for line in open("/proc/net/" + file).read().splitlines()]
    print(f"{file}:", *(repr(line[0]) for line in lines if "Type" not in line[0]), sep="\n  ")
    counts = {name.strip(): int(value) for name, value in lines}
    print(counts.get("ifIndex"), counts["Ip6InReceives"] > 0, counts["Icmp6OutMsgs"] > 0, counts["Icmp6OutType135"] > 0)
