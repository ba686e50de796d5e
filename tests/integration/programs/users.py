"""
Executes programs in every way while the real and effective users, or groups, of this process differ, and when it is another user than it was:
each says who it is, what it is permitted, which variables it has and by what address it reaches 10.77.0.2.
users.py FORBIDDEN: a program that only root may execute.
"""
import os
import signal
import subprocess
import sys

PYTHON = "/usr/bin/python3"
WHO = """
import os, socket, sys
s = socket.create_connection(("10.77.0.2", 8080), 5)
capabilities = [line.split()[1] for line in open("/proc/thread-self/status") if line[:7] in ("CapInh:", "CapPrm:", "CapEff:", "CapAmb:")]
print(sys.argv[1], os.getresuid(), os.getresgid(), *capabilities, sorted(v for v in os.environ if v.startswith(("LD_L", "GCONV", "MARK"))),
    s.getsockname()[0], flush=True)
"""
os.environ.update(LD_LIBRARY_PATH="/nowhere", GCONV_PATH="/nowhere", MARK="here")
me = [PYTHON, "-c", WHO]


def become(users, groups, name, run):
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        os.setresgid(*groups)
        os.setresuid(*users)
        run(name)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if status:
        print(name, users, "ended with", status)


def execute(name):
    os.execv(PYTHON, me + [name])


def execute_what_is_not_there(name):
    try:
        os.execv("/nowhere", ["nowhere"])
    except OSError as error:
        capabilities = [line.split()[1] for line in open("/proc/thread-self/status") if line[:7] in ("CapPrm:", "CapEff:")]
        print(name, error.errno, os.getresuid(), os.getresgid(), *capabilities)


def execute_what_is_forbidden(name):
    try:
        os.execv(sys.argv[1], ["forbidden"])
    except OSError as error:
        print(name, error.errno)


def spawn(name):
    os.waitpid(os.posix_spawn(PYTHON, me + [name], os.environ), 0)


def spawn_as_the_real_user(name):
    os.waitpid(os.posix_spawn(PYTHON, me + [name], os.environ, resetids=True), 0)


def command(name):
    os.system("%s -c '%s' %s" % (PYTHON, WHO, name))


for users, groups in (((0, 65534, 0), (0, 65534, 0)), ((65534, 0, 0), (65534, 0, 65534)), ((0, 0, 0), (0, 65534, 0)), ((0, 13, 13), (13, 13, 13)),
                      ((65534, 65534, 65534), (65534, 65534, 65534))):
    become(users, groups, "exec", execute)
    become(users, groups, "none", execute_what_is_not_there)
    become(users, groups, "forbidden", execute_what_is_forbidden)
    become(users, groups, "subprocess", lambda name: subprocess.run(me + [name]))
    become(users, groups, "spawn", spawn)
    become(users, groups, "reset", spawn_as_the_real_user)
    become(users, groups, "system", command)
