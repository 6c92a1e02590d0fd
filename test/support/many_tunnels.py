#!/usr/bin/python3
"""many_tunnels.py N SOCKET_A SOCKET_B - the life of N tunnels t0, t1, ... between two running causewayd.

Gateway A begins them when it starts. Waits until all are up on both sides, rekeys every child and then every IKE SA by
command (from A and from B by turns, 16 at a time), and takes all down. Prints what each took, by the clock and in
processor time of the two control threads, and the memory of a tunnel. Exits 1 where one does not get there.
"""
import argparse
import json
import socket
import sys
import threading
import time

LIMIT_S = 240
AT_ONCE = 16  # the admin socket takes 32 clients
LONGEST_STEP_US = 50_000


class Gateway:
    def __init__(self, path):
        self.path, self.file, self.lock = path, None, threading.Lock()

    def ask(self, request, timeout=120):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.settimeout(timeout)
        s.connect(self.path)
        s.sendall(json.dumps(request).encode() + b"\n")
        data = b""
        while not data.endswith(b"\n"):
            piece = s.recv(1 << 16)
            if not piece:
                break
            data += piece
        s.close()
        return json.loads(data)

    def counters(self):
        answer = self.ask({"cmd": "counters"})
        return answer.get("result", answer)["control"]

    def wait_to_answer(self):
        for _ in range(600):
            try:
                return self.counters()
            except OSError:
                time.sleep(0.1)
        sys.exit(f"nobody answers on {self.path}")


class Stretch:
    """What the clock and the control threads say of one stretch of work."""

    def __init__(self, gateways):
        self.gateways, self.begin, self.cpu = gateways, time.monotonic(), [g.counters()["control_cpu_us"] for g in gateways]

    def figure(self, what, count):
        seconds = time.monotonic() - self.begin
        cpu = [g.counters()["control_cpu_us"] - before for g, before in zip(self.gateways, self.cpu)]
        return (f"{count} tunnels {what} in {seconds:.2f} s ({count / seconds:.0f} a second); processor time of the "
                f"control threads {cpu[0] / count / 1000:.2f} and {cpu[1] / count / 1000:.2f} ms a tunnel")


def wait_until(what, condition):
    end = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"not {what} within {LIMIT_S} s")
        time.sleep(0.05)


def for_all(count, command):
    """Gives `command` every number, AT_ONCE at a time; exits where an answer is a failure."""
    failed, numbers, lock = [], iter(range(count)), threading.Lock()

    def work():
        while True:
            with lock:
                n = next(numbers, None)
            if n is None:
                return
            answer = command(n)
            if answer.get("code", 0) != 0 or "error" in answer:
                failed.append((n, answer))

    threads = [threading.Thread(target=work) for _ in range(AT_ONCE)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failed:
        sys.exit(f"{len(failed)} commands failed; of t{failed[0][0]}: {failed[0][1]}")


def rekey_all(a, b, count, ike):
    for_all(count, lambda n: (a if n % 2 else b).ask(
        {"cmd": "rekey", "tunnel": f"t{n}", "ike": ike, "child": "" if ike else f"t{n}", "timeout": 60}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int)
    parser.add_argument("a")
    parser.add_argument("b")
    parser.add_argument("--figures")
    o = parser.parse_args()
    a, b = Gateway(o.a), Gateway(o.b)
    gateways = (a, b)

    def figure(text):
        print(text, flush=True)
        if o.figures:
            with open(o.figures, "a", encoding="utf-8") as out:
                out.write(text + "\n")

    bare = b.wait_to_answer()["rss_kib"]
    a.wait_to_answer()
    all_up = lambda: all(g.counters()["children"] == o.count for g in gateways)
    up = Stretch(gateways)
    up.cpu = [0, up.cpu[1]]  # it began before anybody could ask
    wait_until("up", all_up)
    figure(up.figure("up", o.count))
    memory = b.counters()["rss_kib"]
    figure(f"{(memory - bare) / o.count:.1f} KiB of memory a tunnel on the side that answers")
    for ike in (False, True):
        stretch = Stretch(gateways)
        rekey_all(a, b, o.count, ike)
        figure(stretch.figure("IKE SAs rekeyed" if ike else "children rekeyed", o.count))
        wait_until("one of each left", lambda: all(g.counters()["ike_sas"] == o.count and
                                                   g.counters()["children"] == o.count for g in gateways))
    longest = [g.counters()["control_longest_us"] for g in gateways]
    figure(f"the longest step of a control thread took {max(longest) / 1000:.1f} ms of processor time")
    down = Stretch(gateways)
    for_all(o.count, lambda n: a.ask({"cmd": "down", "tunnel": f"t{n}", "timeout": 10}))
    wait_until("down", lambda: all(g.counters()["ike_sas"] == 0 for g in gateways))
    figure(down.figure("down", o.count))
    if max(longest) > LONGEST_STEP_US:
        sys.exit(f"a step of the control thread took {max(longest)} us of processor time, wanted {LONGEST_STEP_US} at most")


if __name__ == "__main__":
    main()
