# One UDP socket that talks to the network (an echo server at FAR) and to 127.0.0.1, in every order: what the kernel's sockets do.
import os, select, signal, socket, sys, threading, time

FAR = (sys.argv[1], int(sys.argv[2]))
me = sys.argv[3]            # the address by which FAR sees us
SECOND = 1.0


def local_server():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    server.settimeout(SECOND)

    def serve():
        while True:
            try:
                data, sender = server.recvfrom(2000)
            except TimeoutError:
                continue
            if data == b"end":
                return
            server.sendto(b"local " + sender[0].encode() + b" " + data, sender)
    threading.Thread(target=serve, daemon=True).start()
    return server.getsockname()


LOCAL = local_server()


def make(family=socket.AF_INET):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(SECOND)
    return s


def attempt(what):
    try:
        return what()
    except TimeoutError:
        return "nothing"
    except OSError as error:
        return os.strerror(error.errno)


def told(data):
    text = data.decode() if isinstance(data, bytes) else str(data)
    return text.replace(me, "ME")


def say(name, *results):
    print(f"{name}:", *[told(r) for r in results], sep="\n    ", flush=True)


def ask(s, to, text=b"x"):
    s.sendto(text, to)
    return attempt(lambda: s.recv(2000))


def order():
    s = make()
    say("far, then local", ask(s, FAR), ask(s, LOCAL), ask(s, FAR))
    s = make()
    say("local, then far", ask(s, LOCAL), ask(s, FAR), ask(s, LOCAL))
    s = make()
    s.bind(("", 0))
    say("bound", ask(s, LOCAL), ask(s, FAR))
    port = s.getsockname()[1]
    seen = make()
    seen.bind(("127.0.0.1", 0))
    s.sendto(b"whose", seen.getsockname())
    say("by the same port", seen.recvfrom(9)[1] == ("127.0.0.1", port))


def connected():
    s = make()
    s.connect(LOCAL)
    s.send(b"a")
    say("connected to local", s.recv(99), s.getsockname()[0], s.getpeername() == LOCAL)
    s.setblocking(True)
    os.write(s.fileno(), b"c")
    say("by write and read", os.read(s.fileno(), 99))
    say("by sendmsg", s.sendmsg([b"d", b"e"]), s.recvmsg(99, 99)[0])
    s.settimeout(SECOND)
    with open(__file__, "rb") as file:
        say("by sendfile", os.sendfile(s.fileno(), file.fileno(), 0, 30), s.recv(99)[:40])
    ends = os.pipe()
    os.write(ends[1], b"piped")
    say("by splice", os.splice(ends[0], s.fileno(), 5), s.recv(99))
    say("by writev", os.writev(s.fileno(), [b"g", b"h"]), s.recv(99))
    disconnect(s)
    s.connect(FAR)
    s.send(b"f")
    say("far, after it was disconnected", s.recv(99), s.getsockname()[0], s.getpeername() == FAR)
    s.sendto(b"unheard", LOCAL)
    say("the peer's alone is heard", attempt(lambda: s.recv(99)))
    disconnect(s)
    say("none again", attempt(lambda: s.getpeername()), ask(s, FAR), ask(s, LOCAL))
    s, peer = make(), make()
    peer.bind(("127.0.0.1", 0))
    for turn in "once", "again":
        s.connect(peer.getsockname())
        peer.sendto(b"hello", s.getsockname())
        say("at the port that it says it has,", turn, attempt(lambda: s.recv(99)))
        disconnect(s)
    refused = make()
    refused.bind(("127.0.0.1", 0))
    nobody = refused.getsockname()
    refused.close()
    s = make()
    s.connect(nobody)
    s.send(b"x")
    say("refused", attempt(lambda: s.recv(99)))
    s.send(b"x")
    say("refused, asked for", os.strerror(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)), s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))


def outside():
    s = make()
    s.connect(LOCAL)
    say("local, and to far", attempt(lambda: s.connect(FAR)), attempt(lambda: s.sendto(b"x", FAR)), s.getpeername() == LOCAL)


def disconnect(s):
    import ctypes
    assert ctypes.CDLL(None, use_errno=True).connect(s.fileno(), bytes(16), 16) == 0


def readiness():
    for first, second, names in ((FAR, LOCAL, "far local"), (LOCAL, FAR, "local far")):
        s = make()
        poll, kept = select.poll(), select.epoll()
        kept.register(s, select.EPOLLIN)
        poll.register(s, select.POLLIN)
        for to in (first, second, first):
            s.sendto(b"x", to)
            seen = poll.poll(1000) and select.select([s], [], [], 1)[0] and kept.poll(1)
            got = s.recv(99).split()[0]
            say(f"ready, {names}", bool(seen), got, select.select([s], [], [], 0)[0], kept.poll(0))
        kept.modify(s, select.EPOLLIN | select.EPOLLOUT)
        say("room", [event & select.EPOLLOUT for fd, event in kept.poll(1)], select.select([], [s], [], 1)[1] == [s])
        kept.modify(s, select.EPOLLIN | select.EPOLLET)
        s.sendto(b"x", LOCAL)
        say("edge", len(kept.poll(1)), len(kept.poll(0.05)), s.recv(99).split()[0])
        kept.unregister(s)
        s.sendto(b"x", LOCAL)
        say("not any more", len(kept.poll(0.2)), s.recv(99).split()[0])
        kept.register(s, select.EPOLLIN)
        s.sendto(b"x", LOCAL)
        say("again", len(kept.poll(1)), s.recv(99).split()[0])


def waiting():
    s = make()
    ask(s, FAR), ask(s, LOCAL)
    s.setblocking(True)
    port = s.getsockname()[1]

    def later(action):
        threading.Timer(0.2, action).start()
    later(lambda: s.sendto(b"x", LOCAL))
    say("blocking, local", s.recv(99))
    later(lambda: s.sendto(b"x", FAR))
    say("blocking, far", s.recv(99))
    begun = time.monotonic()
    s.settimeout(None)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, (0).to_bytes(8, "little") + (200000).to_bytes(8, "little"))
    try:
        s.recv(9)
    except BlockingIOError:
        say("limited", 0.15 < time.monotonic() - begun < 0.6)
    s.setblocking(False)
    say("not blocking", attempt(lambda: s.recv(9)))
    s.setblocking(True)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, bytes(16))
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)
    later(lambda: s.sendto(b"x", LOCAL))
    say("signals", s.recv(99))
    signal.setitimer(signal.ITIMER_REAL, 0)


def details():
    import fcntl, struct, termios
    s = make()
    ask(s, FAR), ask(s, LOCAL)
    for round in range(4):
        s.sendto(b"x" * 10, LOCAL)
        s.sendto(b"x" * 200, FAR)
        time.sleep(0.1)
        length = struct.unpack("i", fcntl.ioctl(s, termios.FIONREAD, bytes(4)))[0]
        peeked = s.recv(999, socket.MSG_PEEK)
        again = s.recv(999, socket.MSG_PEEK)
        say("what is peeked at comes", peeked == again == s.recv(999), length == len(peeked), len(s.recv(999)) != len(peeked))
    say("no more", struct.unpack("i", fcntl.ioctl(s, termios.FIONREAD, bytes(4)))[0], attempt(lambda: s.recv(9)))
    told = []
    signal.signal(signal.SIGIO, lambda *_: told.append(1))
    for after in True, False:
        s = make()
        after and ask(s, LOCAL)
        fcntl.fcntl(s, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(s, fcntl.F_SETFL, fcntl.fcntl(s, fcntl.F_GETFL) | os.O_ASYNC)
        for name, to in ("local", LOCAL), ("far", FAR):
            told.clear()
            ask(s, to)
            time.sleep(0.1)
            say("signalled,", name, len(told) > 0)
    s = make()
    ask(s, LOCAL)
    s.setsockopt(socket.SOL_IP, socket.IP_TTL, 77)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_TIMESTAMP if hasattr(socket, "SO_TIMESTAMP") else 29, 1)
    s.sendto(b"x", LOCAL)
    say("control messages", [(level, kind) for level, kind, data in s.recvmsg(99, 99)[1]])
    s.sendto(b"x", FAR)
    say("of either", [(level, kind) for level, kind, data in s.recvmsg(99, 99)[1]])


def shared():
    s = make()
    ask(s, FAR), ask(s, LOCAL)
    copy = s.dup()
    copy.settimeout(SECOND)
    say("a copy", ask(copy, LOCAL), ask(copy, FAR))
    child = os.fork()
    if child == 0:
        say("a child", ask(s, LOCAL), ask(s, FAR))
        os._exit(0)
    os.waitpid(child, 0)
    s.set_inheritable(True)
    child = os.fork()
    if child == 0:
        os.execvp(sys.executable, [sys.executable, sys.argv[0], *sys.argv[1:4], "inherited", str(s.fileno()), str(LOCAL[1])])
    os.waitpid(child, 0)
    say("a parent", ask(s, LOCAL), ask(s, FAR))


def inherited():
    s = socket.socket(fileno=int(sys.argv[5]))
    s.settimeout(SECOND)
    say("the next program", ask(s, ("127.0.0.1", int(sys.argv[6]))), ask(s, FAR))


def served():
    for family, any in (socket.AF_INET, ""), (socket.AF_INET6, "::"):
        server = make(family)
        server.bind((any, 0))
        port = server.getsockname()[1]
        for client in "fresh", "connected", "bound", "another's":
            s = make()
            if client == "bound":
                s.bind(("127.0.0.1", 0))
            if client == "another's" and os.fork() == 0:
                s.sendto(b"x", ("127.0.0.1", port))
                os._exit(0)
            if client == "connected":
                s.connect(("127.0.0.1", port))
                s.send(b"x")
            elif client != "another's":
                s.sendto(b"x", ("127.0.0.1", port))
            heard = attempt(lambda: server.recvfrom(99))
            data, sender = heard if type(heard) is tuple else (heard, None)
            say(f"{client} client of a socket at any address", data, sender and sender[0])
            if sender and client != "another's":
                server.sendto(b"y", sender)
                say("which answers", attempt(lambda: s.recvfrom(99)) == (b"y", ("127.0.0.1", port)))
        kept = select.epoll()
        kept.register(server, select.EPOLLIN)
        s = make()
        s.sendto(b"x", ("127.0.0.1", port))
        say("it is ready", select.select([server], [], [], SECOND)[0] == [server], len(kept.poll(SECOND)), server.recv(99))
        say("and no more", select.select([server], [], [], 0)[0], len(kept.poll(0)))
        say("far is heard, too", ask(server, FAR if family == socket.AF_INET else ("::ffff:" + FAR[0], FAR[1])))


def mapped():
    s = make(socket.AF_INET6)
    far, local = ("::ffff:" + FAR[0], FAR[1]), ("::ffff:127.0.0.1", LOCAL[1])
    say("mapped", ask(s, far), ask(s, local), ask(s, far), ask(s, local))
    s.sendto(b"x", local)
    say("by the address", s.recvfrom(99)[1][0])


globals()[sys.argv[4]]()
