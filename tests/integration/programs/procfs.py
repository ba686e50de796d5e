"""What files tell of sockets that this program makes, as lines to compare: procfs.py ADDRESS FILE..."""
import os, re, socket, sys, time

own, files = sys.argv[1], sys.argv[2:]
listener = socket.create_server((own, 5001))
anywhere = socket.create_server(("0.0.0.0", 5002))
both = socket.create_server(("::", 5003), family=socket.AF_INET6, dualstack_ipv6=True)
loopback = socket.create_server(("127.0.0.1", 5004))
connected = socket.socket()
connected.bind((own, 5005))
connected.connect(("10.77.0.2", 8080))
mapped = socket.socket(socket.AF_INET6)
mapped.bind(("::ffff:" + own, 5006))
mapped.connect(("::ffff:10.77.0.2", 8080))
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.bind((own, 5007))
peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
peer.bind(("0.0.0.0", 5008))
peer.connect(("10.77.0.2", 5009))
datagrams6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
datagrams6.bind(("::", 5010))
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 253)
group = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
group.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("239.1.2.3") + socket.inet_aton(own))
queued = socket.create_connection((own, 5001))
queued.send(b"12345")
time.sleep(0.3)

names = {str(os.fstat(value.fileno()).st_ino): "inode-of-" + name
         for name, value in list(vars().items()) if isinstance(value, socket.socket)}
ephemeral = f":{queued.getsockname()[1]:04X} "


def normal(line):
    line = re.sub(r"^ *\d+: ", "", line)                       # a number in the kernel's hash, or in a list
    line = re.sub(r" [0-9a-f]{16}\b", " pointer", line).replace(ephemeral, ":some ")
    line = re.sub(r" 0[0-9A-F]:[0-9A-F]{8} ", " timer ", line)
    line = re.sub(r" \d+ pointer.*", " references pointer", line)
    return " ".join(names.get(word, word) for word in line.split(" "))


for name in files:
    text = open(name).read()
    print(f"{name}: {text.splitlines()[0] if text else ''}")
    widths = {len(line) for line in text.splitlines()}
    print(sorted(widths) if "/tcp" in name or name.endswith("/udp") else "")
    for line in sorted(normal(line) for line in text.splitlines()[1:]):
        if re.search(r":13[89]|:00FD|\t", line) or not re.search("tcp|udp|raw", name):
            print(" ", line)
