#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds docs/device-client.md: runs its commands as readme.py runs those of README.md, follows its
links, and holds its table of errors against OTAC_ERR_TABLE. --fix writes the table anew from the
header, and keeps the last column of the rows that stay."""
import os
import re
import shutil
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import readme  # noqa: E402

DOC = readme.ROOT + "/docs/device-client.md"
ROW = r"^\| (-\d+) \| `(\w+)` \| (.*?) \| (.*) \|$"


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def errors_of_header():
    text = read(readme.ROOT + "/client/include/otad_client.h").replace("\\\n", "\n")
    table = re.search(r"#define OTAC_ERR_TABLE\(X\)(.*?)\n\n", text, re.S)[1]
    rows = re.findall(r'X\(\w+, (-\d+), "(\w+)",\s*"([^"]*)"\)', table)
    return sorted(rows, key=lambda row: -int(row[0]))


def fix():
    text = read(DOC)
    advice = {row[0]: row[3] for row in re.findall(ROW, text, re.M)}
    rows = [f"| {n} | `{word}` | {says} | {advice.get(n, '?')} |" for n, word, says in errors_of_header()]
    first = re.search(ROW, text, re.M).start()
    last = [m.end() for m in re.finditer(ROW, text, re.M)][-1]
    with open(DOC, "w", encoding="utf-8") as file:
        file.write(text[:first] + "\n".join(rows) + text[last:])


def check_links(text):
    anchors = {re.sub(r"[^a-z0-9 -]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^#+ (.*)$", text, re.M)}
    for target in re.findall(r"\]\(([^)]+)\)", text):
        path, _, anchor = target.partition("#")
        if path:
            readme.check(os.path.exists(os.path.join(readme.ROOT, "docs", path)), f"the link {target} leads nowhere")
        else:
            readme.check(anchor in anchors, f"the link {target} leads nowhere")
    for path in re.findall(r"`((?:client|tests|tools)/[\w./-]+)`", text):
        readme.check(os.path.exists(os.path.join(readme.ROOT, path)), f"{path} isn't there")


def main():
    if sys.argv[1:] == ["--fix"]:
        return fix()
    text = read(DOC)
    rows = re.findall(ROW, text, re.M)
    readme.check([row[:3] for row in rows] == errors_of_header(),
                 "the table of errors is not OTAC_ERR_TABLE: tests/api/device_client.py --fix, and fill in the '?'")
    readme.check("?" not in [row[3] for row in rows], "an error says nothing to look for")
    check_links(text)
    readme.REPLACED.append((r"^make arduino-library$", readme.MAKE + " -n arduino-library > /dev/null",
                            "arduino_library.sh makes it"))
    scratch = readme.Scratch()
    try:
        for command in readme.read_commands(text):
            scratch.run(command)
        scratch.stop_server()
    finally:
        if scratch.server is not None and scratch.server.poll() is None:
            os.killpg(scratch.server.pid, signal.SIGKILL)
        shutil.rmtree(scratch.folder)
    print(f"{readme.passed} passed, {readme.failed} failed")
    return 1 if readme.failed else 0


if __name__ == "__main__":
    sys.exit(main())
