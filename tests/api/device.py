#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""otad-device against the real daemon: it dies and fails at every point it can be told to, and
whatever happened ends updated or rolled back, as the ledger then says. Each case is a product with
two builds and a device on the first. No root, no fixed port."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
KILLED = -signal.SIGKILL
ROLLED_BACK = "this build was tried here and rolled back"
passed = failed = 0


def check(ok, what):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    if not ok:
        print("device:", what)


class Server:
    def __init__(self, folder):
        self.data, self.folder = folder + "/data", folder
        self.start()
        self.key = subprocess.run([BUILD + "/otad", "key", "create", "--data-dir", self.data, "--name", "t",
                                   "--role", "admin"], check=True, capture_output=True, text=True).stdout.strip()

    def start(self):
        log = open(self.folder + "/log", "w")
        self.process = subprocess.Popen([BUILD + "/otad", "serve", "--data-dir", self.data, "--listen",
                                         "127.0.0.1:0"], stderr=log, stdout=log)
        self.url = None
        for _ in range(600):
            with open(self.folder + "/log") as file:
                found = re.search(r"listen address=(\S+)", file.read())
            if found:
                self.url = "http://" + found[1]
                break
            time.sleep(0.1)

    def ask(self, path, body=None, kind="application/octet-stream"):
        request = urllib.request.Request(self.url + "/api/v1" + path, data=body, headers={
            "Authorization": "Bearer " + self.key, "Content-Type": kind})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def upload(self, product, version, seed):
        path = f"{self.folder}/{version}-{seed}.bin"
        subprocess.run([BUILD + "/tests/mkimage", "--chip", "ESP8266", "--version", version, "--size", "393216",
                        "--seed", str(seed), "--out", path], check=True, capture_output=True)
        with open(path, "rb") as file:
            return self.ask(f"/products/{product}/builds", file.read())["id"]

    def crash(self):
        self.process.kill()
        self.process.wait(timeout=60)
        self.start()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        check(self.process.wait(timeout=60) == 0, "the daemon did not end well")


class Device:
    count = 0

    def __init__(self, server, name, first=True):
        Device.count += 1
        self.server, self.name, self.product, self.out = server, name, f"lamp{Device.count}", ""
        self.mac = f"5C:CF:7F:00:00:{Device.count:02X}"
        server.ask("/products", json.dumps({"slug": self.product, "name": name}).encode(), "application/json")
        server.upload(self.product, "1.0.0", 2 * Device.count)
        if first:
            self.run(0, "restarting into slot 0", "running version 1.0.0", "reported to the server")
            server.upload(self.product, "1.1.0", 2 * Device.count + 1)

    def run(self, status, *texts, flags=()):
        done = subprocess.run(
            [BUILD + "/otad-device", "--server", self.server.url, "--product", self.product, "--mac", self.mac,
             "--state", f"{self.server.folder}/{self.product}", "--once", *flags],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
        self.out = done.stdout
        what = f"{self.name} {' '.join(flags)}: "
        check(done.returncode == status, f"{what}status {done.returncode}, want {status}:\n{self.out}")
        for text in texts:
            check(text in self.out, f"{what}no '{text}' in:\n{self.out}")

    def crash(self, point, *texts):
        self.run(KILLED, *texts, flags=("--crash-at", point))

    def fail(self, point, status, *texts):
        self.run(status, "on purpose", *texts, flags=("--fail-at", point))

    def is_updated(self):
        self.run(0, "running version 1.1.0", "up to date")
        self.ledger("installed", "success")

    def ledger(self, state, result):
        items = self.server.ask(f"/products/{self.product}/updates")["items"]
        got = [(i["state"], i["reports"][0]["result"] if i["reports"] else None) for i in items
               if i["to_version"] == "1.1.0"]
        check((state, result) in got, f"{self.name}: the ledger has {got}, not {state}, {result}")


def crashes(server):
    for point in ("connect", "answer", "erase", "download", "write", "finish", "verify", "switch"):
        device = Device(server, "crash at " + point)
        device.crash(point, "running version 1.0.0")
        device.run(0, "restarting into slot 1", "confirmed: version 1.1.0 stays", "reported to the server")
        check(("going on with the download" in device.out) ==
              (point in ("download", "write", "finish", "verify", "switch")), f"{point}: {device.out}")
        device.is_updated()
    for point in ("confirm", "report"):
        device = Device(server, "crash at " + point)
        device.crash(point, "running version 1.1.0 from slot 1")
        device.run(0, "running version 1.1.0 from slot 1", "reported to the server")
        device.is_updated()


def failures(server):
    for point, status, text in (("connect", 3, "could not be reached"), ("answer", 3, "stopped answering"),
                                ("download", 1, "connection to the server broke")):
        device = Device(server, "fail at " + point)
        device.fail(point, status, text, "still on version 1.0.0")
        device.run(0, "restarting into slot 1", "reported to the server")
        check(("going on with the download" in device.out) == (point == "download"), point)
        device.is_updated()
    for point, text in (("erase", "could not be prepared"), ("write", "writing the image to flash failed"),
                        ("finish", "writing"), ("verify", "reading the image back"), ("switch", "boot record")):
        device = Device(server, "fail at " + point)
        device.fail(point, 1, text, "still on version 1.0.0", "reported to the server")
        device.run(0, "restarting into slot 1", "running version 1.1.0 from slot 1")
    device = Device(server, "fail at report")
    device.run(0, "confirmed", "the report could not be sent", flags=("--fail-at", "report"))
    device.run(0, "reported to the server")
    device.is_updated()
    device = Device(server, "fail at confirm")
    device.run(0, "not confirmed: the boot record", flags=("--fail-at", "confirm"))
    device.run(0, "confirmed", "reported to the server")
    device.is_updated()


def rollbacks(server):
    device = Device(server, "crashes at each start")
    for _ in range(3):
        device.crash("boot", "running version 1.1.0 from slot 1")
    device.run(1, "rolled back: the new build was started often", "running version 1.0.0 from slot 0",
               "reported to the server", ROLLED_BACK)
    device.ledger("rolled_back", "rolled_back")
    device.run(0, "the server says: rolled_back")
    server.upload(device.product, "1.2.0", 999)
    device.run(0, "running version 1.2.0 from slot 1", "confirmed: version 1.2.0 stays")
    device = Device(server, "fails its self-test")
    device.run(1, "the self-test fails", "running version 1.0.0", ROLLED_BACK, flags=("--fail-at", "boot"))
    device.ledger("rolled_back", "rolled_back")
    device = Device(server, "is never confirmed")
    flags = ("--no-confirm", "--trial-boots", "2")
    device.run(0, "running version 1.1.0", "starts that are left: 1", flags=flags)
    device.run(0, "running version 1.1.0", "starts that are left: 0", flags=flags)
    # The server saw it on 1.1.0, so it knows without being told.
    device.run(0, "rolled back", "running version 1.0.0", "the server says: rolled_back", flags=flags)
    device.ledger("rolled_back", "rolled_back")
    device = Device(server, "has no trial")
    device.run(0, "running version 1.1.0", "reported", flags=("--no-confirm", "--trial-boots", "0"))
    device.is_updated()
    device = Device(server, "crashes in its first image", first=False)
    for _ in range(3):
        device.crash("boot", "running version 1.0.0 from slot 0")
    device.run(1, "factory-fresh", "reported to the server", ROLLED_BACK)


def changes(server):
    """What may happen on the server between two halves of a download."""
    device = Device(server, "server crashes between")
    device.fail("download", 1)
    server.crash()
    device.run(0, "going on with the download", "running version 1.1.0")
    device.is_updated()
    device = Device(server, "another build comes between")
    device.fail("download", 1)
    server.upload(device.product, "1.2.0", 998)
    device.run(0, "update offered: version 1.2.0", "running version 1.2.0")
    check("going on" not in device.out, device.out)
    device = Device(server, "the build is withdrawn between")
    device.fail("download", 1)
    builds = server.ask(f"/products/{device.product}/builds")["items"]
    build = next(b["id"] for b in builds if b["version"] == "1.1.0")
    server.ask(f"/products/{device.product}/builds/{build}/withdraw", b"{}", "application/json")
    device.run(0, "running version 1.0.0")
    check("restarting" not in device.out, device.out)
    device = Device(server, "the channel is paused between")
    device.fail("download", 1)
    server.ask(f"/products/{device.product}/channels/stable/pause", b"{}", "application/json")
    device.run(0, "nothing to install now, the server says: paused")
    server.ask(f"/products/{device.product}/channels/stable/resume", b"{}", "application/json")
    device.run(0, "going on with the download", "running version 1.1.0")


def damage(server):
    device = Device(server, "flips a bit")
    device.run(0, "running version 1.1.0 from slot 1", "confirmed")
    with open(f"{server.folder}/{device.product}/slot1.bin", "r+b") as file:
        file.seek(1000)
        byte = file.read(1)
        file.seek(1000)
        file.write(bytes([byte[0] ^ 1]))
    device.run(0, "rolled back: what was read back from flash", "running version 1.0.0 from slot 0",
               "the server says: rolled_back")  # it saw the old version come back


def signatures(server):
    device = Device(server, "has a key")
    device.run(2, "expected one of the points", flags=("--fail-at", "nowhere"))
    if shutil.which("openssl") is None:
        return print("device: no openssl here, no keys")
    key, public = server.folder + "/sign.key", server.folder + "/sign.pub"
    for command in (["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key],
                    ["openssl", "ec", "-in", key, "-pubout", "-out", public]):
        subprocess.run(command, check=True, capture_output=True)
    device.run(1, "the image is not signed", "still on version 1.0.0", flags=("--sign-key", public))
    device.run(2, "no public P-256 key", flags=("--sign-key", key))


def main():
    folder = tempfile.mkdtemp(prefix="otad-device-")
    server = Server(folder)
    try:
        for part in (crashes, failures, rollbacks, changes, damage, signatures):
            part(server)
    except urllib.error.HTTPError as error:
        check(False, f"{error.url}: {error.code} {error.read()}")
    finally:
        server.stop()
        shutil.rmtree(folder)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
