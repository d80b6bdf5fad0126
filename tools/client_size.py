#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the core of the device client costs on three kinds of chip, each figure beside its limit:
make client-size. Exit 1 if one is over its limit ("!" marks it), if there is recursion, or if a
frame has no fixed size.

text: code and constants of client/src, linked (linkers shorten calls), but for what is linked only
when used: texts of errors, signatures, otac_start_over(); and without the C library and the
compiler's (64-bit division: 0.8 KB on a cortex-m0, 1.3 KB on rv32imc, in ROM on ESP chips). const: the
constants among it, which an ESP8266's linker scripts put into RAM too. ram: data and bss. context:
sizeof(struct otac). stack: the deepest chain of frames in the core, from -fstack-usage and
-fcallgraph-info; what the port and the C library use, and signatures, comes on top. A call through a pointer is a leaf if it goes to the port or the application, else it may
reach every function of the core that nobody calls by name and that no header offers.

--functions also lists the largest functions and tables of each, with their bytes."""
import glob
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGETS = [
    ("xtensa lx106 (ESP8266)", "xtensa-lx106-elf-", ["-mlongcalls"]),
    ("rv32imc (ESP32-C3)", "riscv64-unknown-elf-", ["-march=rv32imc", "-mabi=ilp32"]),
    ("cortex-m0", "arm-none-eabi-", ["-mcpu=cortex-m0", "-mthumb"]),
]
LIMITS = {"text": 6 * 1024, "ram": 256, "context": 512, "stack": 768}
OPTIONAL = {"err_text.c", "err_word.c", "signature.c", "start_over.c"}
FLAGS = ["-Os", "-std=c99", "-Wall", "-Wextra", "-Werror", "-ffunction-sections", "-fdata-sections",
         "-fno-asynchronous-unwind-tables", "-fstack-usage", "-fcallgraph-info=su,da",
         "-ffreestanding", "-fbuiltin"]  # free-standing: there is no C library beside these compilers
OUTWARD = re.compile(r"\b(port|config)->\w+\(|\blog\(|\bdescribe\(")


def run(*command):
    return subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True).stdout


def compile_all(prefix, flags, folder):
    objects = []
    includes = ["-Iclient/include", "-isystem", "tests/support/freestanding"]
    for source in sorted(glob.glob(ROOT + "/client/src/*.c")):
        name = os.path.basename(source)
        if name not in OPTIONAL:
            out = f"{folder}/{name[:-2]}.o"
            run(prefix + "gcc", *FLAGS, *flags, *includes, "-c", f"client/src/{name}", "-o", out)
            objects.append(out)
    probe = folder + "/context.c"
    with open(probe, "w", encoding="ascii") as file:
        file.write('#include "otad_client.h"\nchar context[sizeof(struct otac)];\n')
    run(prefix + "gcc", *FLAGS, *flags, *includes, "-c", probe, "-o", folder + "/context.x")
    return objects


def sections(prefix, flags, objects, folder):
    """Bytes of (code and constants, the constants, data and bss)."""
    linked = folder + "/core"
    run(prefix + "gcc", *flags, "-nostdlib", "-Wl,-e,otac_update", "-Wl,--unresolved-symbols=ignore-all",
        *objects, "-o", linked)
    text, data, bss = run(prefix + "size", linked).splitlines()[1].split()[:3]
    sizes = [line.split() for line in run(prefix + "size", "-A", linked).splitlines()]
    const = sum(int(row[1]) for row in sizes if row and row[0].startswith((".rodata", ".srodata")))
    return int(text), const, int(data) + int(bss)


def largest(prefix, folder):
    rows = [line.split() for line in run(prefix + "nm", "-S", "--size-sort", folder + "/core").splitlines()]
    return ", ".join(f"{row[3]} {int(row[1], 16)}" for row in rows[:-21:-1] if len(row) == 4)


def context(prefix, folder):
    line = next(x for x in run(prefix + "nm", "-S", folder + "/context.x").splitlines() if x.endswith(" context"))
    return int(line.split()[1], 16)


def goes_outward(place):
    """place: file:line:column of a call through a pointer."""
    file, line, _ = place.rsplit(":", 2)
    with open(os.path.join(ROOT, file), encoding="utf-8") as source:
        return bool(OUTWARD.search(source.read().splitlines()[int(line) - 1]))


def read_graph(folder):
    """Frames in bytes, and who calls whom; a function of the core is known by its name alone if it
    is global, else by file:name. "*" is called for a pointer that stays inside of the core."""
    frames, calls = {}, {}
    for path in glob.glob(folder + "/*.ci"):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for title, label in re.findall(r'node: \{ title: "([^"]*)" label: "([^"]*)"', text):
            if size := re.search(r"(\d+) bytes \((\w+)", label):
                if size[2] != "static":
                    sys.exit(f"client-size: the frame of {title} has no fixed size")
                frames[title] = int(size[1])
        for caller, callee, place in re.findall(
                r'edge: \{ sourcename: "([^"]*)" targetname: "([^"]*)"(?: label: "([^"]*)")?', text):
            if callee == "__indirect_call":
                callee = None if goes_outward(place) else "*"
            if callee is not None:
                calls.setdefault(caller, set()).add(callee)
    return frames, calls


def deepest(frames, calls):
    with open(ROOT + "/client/include/otad_client.h", encoding="utf-8") as file:
        offered = set(re.findall(r"\b(otac_\w+)\(", file.read()))
    named = set().union(*calls.values())
    pointed = {f for f in frames if f not in named and f not in offered}
    known = {}

    def depth(name, path):
        if name in path:
            sys.exit("client-size: recursion: " + " ".join([*path, name]))
        if name not in known:
            below = set()
            for callee in calls.get(name, ()):
                below |= pointed if callee == "*" else {callee}
            chains = [depth(callee, [*path, name]) for callee in below if callee in frames]
            best = max(chains, default=(0, []))
            known[name] = (frames[name] + best[0], [f"{name.rsplit(':', 1)[-1]} {frames[name]}", *best[1]])
        return known[name]

    return max(depth(name, []) for name in frames)


def main():
    failed = 0
    print(f"{'':24}" + "".join(f"{name + ' /limit':>16}" for name in LIMITS) + f"{'const':>8}   bytes")
    for name, prefix, flags in TARGETS:
        with tempfile.TemporaryDirectory() as folder:
            objects = compile_all(prefix, flags, folder)
            text, const, ram = sections(prefix, flags, objects, folder)
            stack, chain = deepest(*read_graph(folder))
            top = largest(prefix, folder) if sys.argv[1:] == ["--functions"] else ""
            got = {"text": text, "ram": ram, "context": context(prefix, folder), "stack": stack}
        cells = ""
        for what, limit in LIMITS.items():
            over = got[what] > limit
            failed += over
            cells += f"{('! ' if over else '') + str(got[what]) + ' /' + str(limit):>16}"
        print(f"{name:24}{cells}{const:>8}\n    deepest: {', '.join(chain)}")
        if top:
            print(f"    largest: {top}")
    print(f"{len(TARGETS) * len(LIMITS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"client-size: {' '.join(error.cmd)}\n{error.stderr}")
