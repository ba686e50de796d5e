"""Threads that use the stack at once, in all ways that differ inside: downloads from the address given, connections and
datagrams among themselves, sets."""
import os, select, socket, sys, threading, urllib.request

far = sys.argv[1]
own = "10.77.0.10"
failed = []


def thread(work):
    def guarded():
        try:
            work()
        except BaseException as error:
            failed.append((work.__name__, repr(error)))

    return threading.Thread(target=guarded)


def download():
    for _ in range(5):
        assert len(urllib.request.urlopen(f"http://{far}:8080/1M", timeout=60).read()) == 1 << 20


def pair():
    listener = socket.socket()
    listener.bind((own, 0))
    listener.listen()
    client = socket.create_connection(listener.getsockname())
    accepted, _ = listener.accept()
    received = []

    def receive():
        while data := accepted.recv(65536):
            received.append(len(data))

    receiver = thread(receive)
    receiver.start()
    for _ in range(20):
        client.sendall(b"x" * 100000)
    client.close()
    receiver.join()
    assert sum(received) == 2000000
    accepted.close()
    listener.close()


def datagrams():
    events = select.epoll()
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind((own, 0))
    events.register(receiver, select.EPOLLIN)
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for _ in range(50):
        sender.sendto(b"hi", receiver.getsockname())
        assert events.poll(20)
        assert receiver.recv(10) == b"hi"
    events.close()


def dance():
    for _ in range(30):
        one = socket.socket()
        other = os.dup(one.fileno())
        poll = select.poll()
        poll.register(other)
        poll.poll(0)
        one.close()
        os.close(other)


threads = [thread(work) for work in [download] * 3 + [pair] * 3 + [datagrams] * 3 + [dance] * 2]
for one in threads:
    one.start()
for one in threads:
    one.join()
print(failed or "done")
