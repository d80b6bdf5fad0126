#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs every shell command of README.md, in order, in a scratch folder: fences marked `sh` are
commands, `text` and `cpp` are not. Also holds the table of options against `otad config example`
and the links against the tree. No root, no network, no fixed port: what would need them is in
REPLACED or SKIPPED, with the reason. `readme.py --table` prints the table of options."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
passed = failed = 0

# pattern → (what runs instead, why). {root}, {build} and {stage} are filled in.
MAKE = "make -C {root} BUILD={build} -o {build}/otad"
REPLACED = [
    (r"^make demo\b", "{root}/tools/demo.sh build", "make demo would install packages and build first"),
    (r"^make( -j2)?$", MAKE + " -n all > /dev/null", "the test runs on what is built already"),
    (r"^make check$", MAKE + " -n check-run > /dev/null", "it would run this test again"),
    (r"^make help$", MAKE + " help", "the scratch folder has no Makefile"),
    (r"^make ((?:un)?install) DESTDIR=build/stage (.*)", MAKE + r" \1 DESTDIR={stage} \2", "as above"),
    (r"^sudo make install (.*)", MAKE + r" install DESTDIR={stage} \1", "no root: into a folder"),
    (r"^sudo cp (/etc\S+) (/etc\S+)$", r"cp {stage}\1 {stage}\2", "no root: into a folder"),
    (r"^sudo otad key create (.*)", r"{stage}/usr/bin/otad key create --data-dir build/run/data \1",
     "no root: the data folder of the running server"),
    (r"^curl -i -d result=(.*)", r"for i in 1 2 3 4 5 6 7; do curl -i -d result=\1 > r; grep -q ' 429 ' r || break; "
     "sleep 2; done; cat r", "4 reports in 10 seconds, and the simulated device may have sent some"),
]
SKIPPED = [
    (r"^sudo systemd-sysusers$", "needs root; tests/api/install.sh checks the file with --dry-run"),
    (r"^sudo systemctl ", "needs root and a running systemd; install.sh has systemd verify the unit"),
]


def check(ok, what):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print("readme:", what)
    return ok


def read_commands(text):
    commands = []
    for fence, body in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S):
        check(fence in ("sh", "text", "cpp"), f"a fence is marked '{fence}'")
        if fence == "sh":
            for line in body.replace("\\\n", " ").splitlines():
                line = re.sub(r"\s+# .*$", "", line).strip()
                if line:
                    commands.append(line)
    return commands


def option_rows():
    example = subprocess.run([BUILD + "/otad", "config", "example"], check=True, capture_output=True,
                             text=True).stdout
    section, meaning = "", ""
    for line in example.splitlines():
        if found := re.match(r"\[(\w+)\]", line):
            section = found[1]
        elif found := re.match(r"#(\w+) = ?(.*)", line):
            reread = " R" if meaning.endswith("; SIGHUP rereads it") else ""
            default = f" `{found[2]}`" if found[2] else " "
            yield f"| `{section}.{found[1]}` |{default} |{reread} | {meaning.removesuffix('; SIGHUP rereads it')} |"
        elif line.startswith("# "):
            meaning = line[2:]


class Scratch:
    """A folder with a build/ of its own, and the server of `make run`."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="otad-readme-")
        self.stage = self.folder + "/stage"
        os.makedirs(self.folder + "/build")
        for name in ("otad", "otad-device", "tests"):
            os.symlink(f"{BUILD}/{name}", f"{self.folder}/build/{name}")
        os.symlink(ROOT + "/config", self.folder + "/config")
        subprocess.run([BUILD + "/tests/mkimage", "--chip", "ESP8266", "--seed", "7", "--size", "300000",
                        "--out", self.folder + "/Lamp.ino.bin"], check=True, capture_output=True)
        self.settings, self.server, self.url = [], None, None
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("OTAD_", "MAKE", "MFLAGS"))}

    def start_server(self):
        out = open(self.folder + "/run.out", "w+")
        self.server = subprocess.Popen(
            [ROOT + "/tools/run.sh", "build"], cwd=self.folder, stdout=out, stderr=out,
            env=dict(self.env, RUN_LISTEN="127.0.0.1:0"), start_new_session=True)
        for _ in range(600):
            with open(self.folder + "/run.out") as file:
                text = file.read()
            found = re.search(r"^  here +(http://\S+)$", text, re.M)
            if (found and "See what happened" in text) or self.server.poll() is not None:
                break
            time.sleep(0.1)
        self.url = found[1] if found else "http://127.0.0.1:1"
        check(found is not None and self.server.poll() is None, "make run: " + text)
        key = self.folder + "/build/run/key"
        check(os.path.exists(key) and os.stat(key).st_mode & 0o777 == 0o600, "the key file is not 0600")

    def stop_server(self):
        if self.server is None:
            return
        if self.server.poll() is None:
            os.kill(self.server.pid, signal.SIGTERM)
        try:
            check(self.server.wait(timeout=60) == 0, f"make run ended with {self.server.returncode}")
        except subprocess.TimeoutExpired:
            check(False, "make run did not end")
            os.killpg(self.server.pid, signal.SIGKILL)

    def fill(self, text):
        return text.replace("{root}", ROOT).replace("{build}", BUILD).replace("{stage}", self.stage)

    def run(self, command):
        if command == "make run":
            return self.start_server()
        if any(re.search(pattern, command) for pattern, _ in SKIPPED):
            return check(True, "")
        if command.startswith("URL="):
            command = "URL=" + self.url
        if re.match(r"[A-Z]+=", command):
            self.settings.append(command)
        real = command
        for pattern, instead, _ in REPLACED:
            if re.search(pattern, command):
                real = re.sub(pattern, self.fill(instead).replace("\\1", r"\g<1>").replace("\\2", r"\g<2>"), command)
                break
        script = "\n".join(["set -e", *self.settings, real])
        done = subprocess.run(["bash", "-c", script], cwd=self.folder, env=self.env, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
        out = done.stdout + done.stderr
        ok = check(done.returncode == 0, f"`{command}` ended with {done.returncode}:\n{out[-2000:]}")
        if ok and "curl" in command:
            check('"error"' not in out, f"`{command}` was answered an error: {out[-500:]}")
            found = re.search(r"^HTTP/1.1 (\d+)", out, re.M)
            check(found is None or found[1] in ("200", "204", "304"), f"`{command}`: {out[-500:]}")
        return ok


def check_links(text):
    anchors = {re.sub(r"[^a-z0-9 -]", "", h.lower()).replace(" ", "-")
               for h in re.findall(r"^#+ (.*)$", text, re.M)}
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("#"):
            check(target[1:] in anchors, f"the link {target} leads nowhere")
        elif "://" not in target:
            check(os.path.exists(os.path.join(ROOT, target)), f"the link {target} leads nowhere")


def main():
    rows = list(option_rows())
    if sys.argv[1:] == ["--table"]:
        print("\n".join(["| option | default | | meaning |", "|---|---|---|---|", *rows]))
        return 0
    with open(ROOT + "/README.md") as file:
        text = file.read()
    told = re.findall(r"^\| `\w+\.\w+` \|.*$", text, re.M)
    check(told == rows, "the table of options is not `otad config example`: paste the output of "
                        "tests/api/readme.py --table")
    check_links(text)
    scratch = Scratch()
    try:
        for command in read_commands(text):
            scratch.run(command)
        scratch.stop_server()
        log = scratch.folder + "/build/run/otad.log"
        if failed and os.path.exists(log):
            with open(log) as file:
                print(file.read()[-2000:])
    finally:
        if scratch.server is not None and scratch.server.poll() is None:
            os.killpg(scratch.server.pid, signal.SIGKILL)
        shutil.rmtree(scratch.folder)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
