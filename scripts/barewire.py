# SPDX-License-Identifier: MIT
"""
Runs programs on TCP/IP stacks of their own, in tests: on bad networks, on LANs in software, without rights.

    import barewire

    with barewire.lan() as lan:
        with barewire.run(["python3", "-m", "http.server", "80"], nic=lan, address="10.9.0.1/24"):
            client = barewire.run(["curl", "-s", "--retry-connrefused", "--retry", "5", "http://10.9.0.1/"],
                                  nic=lan, address="10.9.0.2/24", loss="1%", delay="20ms", pcap="seen.pcapng")
            assert client.wait(30) == 0
    print(barewire.report("seen.pcapng"))

Options are the command's, with _ for -: nic, address (one or a list), gateway, dns, mtu, name, sysctl, verbose=True; and what
barewire(1) says of --impair: loss, delay, jitter, rate, queue, burst, duplicate, reorder, corrupt, seed, each also with tx_ or rx_
before it for one way alone. barewire(1) has them all.
"""
import contextlib
import os
import shutil
import subprocess
import tempfile
import time

IMPAIRMENTS = {"loss", "delay", "jitter", "rate", "queue", "burst", "duplicate", "reorder", "corrupt", "seed"}


def find_command():
    """The path of the barewire command: $BAREWIRE_COMMAND, that of the checkout that this file lies in, or that in $PATH."""
    here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "barewire")
    found = os.environ.get("BAREWIRE_COMMAND") or (here if os.access(here, os.X_OK) and not os.path.isdir(here) else shutil.which("barewire"))
    if not found:
        raise FileNotFoundError("barewire is not in PATH; BAREWIRE_COMMAND may name it")
    return found


def _impairment(name, value):
    way, _, item = name.rpartition("_")
    if item in IMPAIRMENTS and way in ("", "tx", "rx"):
        return f"{way}:{item}={value}" if way else f"{item}={value}"
    return None


def command(arguments, **options):
    """The command line that runs a program so, as a list."""
    line, impair = [find_command()], []
    for name, value in options.items():
        item = _impairment(name, value)
        if item:
            impair.append(item)
            continue
        for each in value if isinstance(value, (list, tuple)) else [value]:
            if each is True:
                line.append("--" + name.replace("_", "-"))
            elif each is not None and each is not False:
                line.append(f"--{name.replace('_', '-')}={each}")
    if impair:
        line.append("--impair=" + ",".join(impair))
    return line + ["--"] + list(arguments)


class Program(subprocess.Popen):
    """A program that runs. Used in a `with`, it is ended with it: by SIGTERM, and after `patience` seconds by SIGKILL."""

    patience = 5

    def __exit__(self, kind, value, trace):
        if self.poll() is None:
            self.terminate()
            try:
                self.wait(self.patience)
            except subprocess.TimeoutExpired:
                self.kill()
        return super().__exit__(kind, value, trace)


def run(arguments, *, stdin=subprocess.DEVNULL, stdout=None, stderr=None, env=None, cwd=None, text=None, **options):
    """Starts a program on a stack of its own, and gives it as a Program, which is a subprocess.Popen."""
    return Program(command(arguments, **options), stdin=stdin, stdout=stdout, stderr=stderr, env=env, cwd=cwd, text=text)


def check_output(arguments, *, timeout=60, stderr=None, env=None, cwd=None, text=None, **options):
    """Runs a program so to its end, and gives what it wrote. As subprocess.check_output(), which raises when it fails."""
    return subprocess.check_output(command(arguments, **options), timeout=timeout, stdin=subprocess.DEVNULL, stderr=stderr, env=env, cwd=cwd, text=text)


@contextlib.contextmanager
def lan(kind="switch", **options):
    """A LAN in software for as long as the `with` lasts, a "switch" or a "hub"; gives what stations name as their nic. Options are those of
    barewire lan: rate="10mbit", delay="1ms", ber="1e-6"."""
    with tempfile.TemporaryDirectory(prefix="barewire-lan-") as folder:
        path = os.path.join(folder, "lan")
        line = [find_command(), "lan", path, "--" + kind]
        for name, value in options.items():
            line += ["--" + name, str(value)]
        with Program(line, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as network:
            said = network.stderr.readline()  # comes once stations may join
            if not os.path.exists(path):
                raise RuntimeError((said + network.stderr.read()).strip() or "barewire lan has ended")
            yield "lan:" + path


def report(capture):
    """What `barewire report` says of a capture, as text."""
    return subprocess.check_output([find_command(), "report", capture, "--text"], text=True)


def wait_for_port(host, port, *, timeout=10, **options):
    """Waits until something listens at a port, seen from a stack of one's own with these options."""
    probe = f"import socket; socket.create_connection(({host!r}, {port}), 1)"
    end = time.monotonic() + timeout
    while True:
        with run(["python3", "-c", probe], stderr=subprocess.DEVNULL, **options) as client:
            if client.wait(timeout) == 0:
                return
        if time.monotonic() > end:
            raise TimeoutError(f"nothing listens at {host}:{port}")
        time.sleep(0.05)
