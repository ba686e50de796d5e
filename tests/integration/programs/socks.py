#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A SOCKS proxy, version 5 (RFC 1928) without authentication: socks.py ADDRESS PORT. Says whom it connects to, for whom."""
import socket
import sys
import threading


def exactly(connection, count):
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def pass_on(source, to):
    try:
        while data := source.recv(65536):
            to.sendall(data)
        to.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(client):
    with client:
        exactly(client, exactly(client, 2)[1])
        client.sendall(b"\5\0")
        kind = exactly(client, 4)[3]
        host = socket.inet_ntoa(exactly(client, 4)) if kind == 1 else exactly(client, exactly(client, 1)[0]).decode()
        port = int.from_bytes(exactly(client, 2), "big")
        print(host, port, "for", client.getpeername()[0], flush=True)
        with socket.create_connection((host, port)) as server:
            client.sendall(b"\5\0\0\1" + bytes(6))
            back = threading.Thread(target=pass_on, args=(server, client))
            back.start()
            pass_on(client, server)
            back.join()


listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("listens", flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
