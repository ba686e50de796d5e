#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a stack's one lock allows on more processors than this machine has: a discrete-event model, from measured figures.

cores.py measure FILE   runs round trips of 64 bytes by one thread, and by as many as there are processors, in a lab of its own, and
                        writes to FILE how long the lock was held, by the function that took it (barewire stats --lock --json),
                        how many round trips there were, and what they took of the processors
cores.py predict FILE   predicts from FILE's figures, for 1 to 64 processors with one lock and with shards

The model. Each processor runs one thread that makes round trips one after the other, as if its peer answered at once. A round trip is
so many sections with the lock held as were measured for one thread, each of a length drawn from their histograms, with the rest of
a round trip's processor time between them in equal parts. The lock is lock.c's: who finds it taken looks again for 5 us, and then sleeps,
for which a futex's sleep and waking are paid, the latter by whoever lets the lock go. A lock that another processor had last costs a
transfer of its cache line, and the section grows, since it finds other lines elsewhere, too: by as much as makes the sections of
several threads as long on average as they were measured, by two such lines at least. With shards a section
takes its flow's lock, but one in twenty, which is of no flow (timers, neighbours, accepting), takes that of shard 0.
"""
import heapq, json, os, random, subprocess, sys, tempfile, time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SPIN_NS, SLEEP_NS, WAKE_NS = 5000, 6000, 2500
TRANSFER_NS, FOREIGN_LEAST_NS = 100, 200
OF_NO_FLOW = 0.05
TRIPS = 20000  # simulated for each figure
CORES = [1, 2, 4, 8, 16, 32, 64]


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pid_of(name, words):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                line = file.read().decode(errors="replace").split("\0")
        except OSError:
            continue
        if os.path.basename(line[0]).startswith(name) and all(word in line for word in words):
            return int(pid)
    return None


def measure_threads(lab, many, environment, threads):
    barewire, seconds = [f"{TOP}/scripts/barewire", "-i", "packet:bw0", "-a", "10.77.0.10/24"], 6
    asker = subprocess.Popen([lab, "run", *barewire, many, "ask", "10.77.0.2", "5501", "threads", str(threads), str(seconds)],
                             env=environment, stdout=subprocess.PIPE, text=True)
    time.sleep(1.5)
    stacks = subprocess.run([lab, "run", barewire[0], "ls"], env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    pids = [pid_of("many", [many, "ask"]), int(stacks.split("\n")[1].split()[2])]
    before = sum(map(cpu_seconds, pids)), time.monotonic()
    said = subprocess.run([lab, "run", *barewire, "stats", "--lock", "3", "--json"], env=environment, check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    used = (sum(map(cpu_seconds, pids)) - before[0]) / (time.monotonic() - before[1])
    trips = float(asker.communicate(timeout=60)[0].split()[0])
    subprocess.run([lab, "run", *barewire, "down"], env=environment, stdout=subprocess.DEVNULL)
    return {"threads": threads, "trips_per_second": trips, "processors": used, "lock": json.loads(said)}


def measure(path):
    environment = dict(os.environ, BAREWIRE_LAB=f"cores-{os.getpid()}")
    lab = f"{TOP}/scripts/lab"
    with tempfile.TemporaryDirectory() as work:
        many = f"{work}/many"
        subprocess.run(["gcc", "-O2", "-pthread", "-o", many, f"{TOP}/tests/bench/many.c"], check=True)
        subprocess.run([lab, "up"], env=environment, check=True, stdout=subprocess.DEVNULL)
        server = subprocess.Popen([lab, "far", many, "serve", "5501"], env=environment, stdout=subprocess.DEVNULL)
        try:
            time.sleep(0.5)
            found = [measure_threads(lab, many, environment, threads) for threads in (1, os.cpu_count())]
        finally:
            server.terminate()
            subprocess.run([lab, "down"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(path, "w") as file:
        json.dump(found, file)


def average_ns(measured):
    places = measured["lock"]["places"]
    return sum(place["held"]["ns"] for place in places) / sum(place["count"] for place in places)


class Figures:
    """A round trip: how many sections it has, how long they are, and how long it takes beside them."""

    def __init__(self, measured, together):
        lock = measured["lock"]
        trips = measured["trips_per_second"] * lock["seconds"]
        columns = [column for place in lock["places"] for column in place["held"]["columns"]]
        self.lengths, self.weights = [longest for longest, _ in columns], [count for _, count in columns]
        count = sum(self.weights)
        self.held_ns = average_ns(measured)
        # Of sections of n threads one in n comes after one of the same thread.
        threads = together["threads"]
        self.foreign_ns = max(FOREIGN_LEAST_NS, (average_ns(together) - self.held_ns) * threads / max(1, threads - 1))
        # A column tells the longest of its times: what they are on average is known of all of them.
        self.scale = self.held_ns * count / sum(length * weight for length, weight in columns)
        self.sections = max(1, round(count / trips))
        busy_ns = 1e9 * measured["processors"] / measured["trips_per_second"]
        self.rest_ns = max(0.0, busy_ns - self.held_ns * count / trips) / self.sections

    def draw(self, random, count):
        return [length * self.scale for length in random.choices(self.lengths, self.weights, k=count)]


class Lock:
    def __init__(self):
        self.free_at, self.owner, self.waiting = 0.0, None, []


def simulate(figures, cores, shards, seed=1):
    """Round trips a second, and which part of the time the busiest lock was held."""
    chance = random.Random(seed)
    locks = [Lock() for _ in range(shards)]
    held = [0.0] * shards
    sections = figures.draw(chance, 4096)
    # A processor comes to ask for a lock at a time; of two at one time the first in number.
    events = [(chance.random() * figures.rest_ns * figures.sections, core, 0) for core in range(cores)]
    heapq.heapify(events)
    done, now = 0, 0.0
    while done < TRIPS:
        now, core, section = heapq.heappop(events)
        number = core % shards if chance.random() >= OF_NO_FLOW else 0
        lock = locks[number]
        waits = max(0.0, lock.free_at - now)
        begin = now + waits
        asleep = waits > SPIN_NS
        if asleep:
            begin += SLEEP_NS
        foreign = lock.owner not in (None, core)
        begin += TRANSFER_NS if foreign else 0
        length = sections[chance.randrange(len(sections))] + (figures.foreign_ns if foreign else 0)
        end = begin + length
        # A sleeper's waking does not keep the lock from others, who may come before; the lock is free meanwhile.
        held[number] += length
        lock.free_at = end if not asleep else max(lock.free_at, end - SLEEP_NS)
        lock.owner = core
        end += WAKE_NS if asleep else 0
        section += 1
        if section == figures.sections:
            done, section = done + 1, 0
        heapq.heappush(events, (end + figures.rest_ns * chance.uniform(0.5, 1.5), core, section))
    return done / now * 1e9, max(held) / now


def predict(path):
    with open(path) as file:
        alone, together = json.load(file)
    figures = Figures(alone, together)
    for measured in alone, together:
        print(f"measured, threads: {measured['threads']}: {measured['trips_per_second']:.0f} round trips a second, "
              f"{measured['processors']:.2f} processors busy, a section of {average_ns(measured) / 1e3:.2f} us")
    print(f"a round trip: {figures.sections} sections of {figures.held_ns / 1e3:.2f} us on average, {figures.foreign_ns / 1e3:.2f} us more "
          f"after another processor's, and {figures.rest_ns * figures.sections / 1e3:.1f} us beside them")
    print(f"{'processors':>10} {'one lock':>10} {'times':>6} {'held %':>7}" + "".join(f" {f'{n} shards':>10} {'times':>6}" for n in (2, 4, 8)))
    alone, _ = simulate(figures, 1, 1)
    for cores in CORES:
        one, busy = simulate(figures, cores, 1)
        line = f"{cores:>10} {one:>10.0f} {one / alone:>6.2f} {100 * busy:>7.1f}"
        for shards in (2, 4, 8):
            many = simulate(figures, cores, shards)[0]
            line += f" {many:>10.0f} {many / alone:>6.2f}"
        print(line)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("measure", "predict"):
        sys.exit(__doc__)
    (measure if sys.argv[1] == "measure" else predict)(sys.argv[2])
