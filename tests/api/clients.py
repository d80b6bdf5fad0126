#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds docs/clients.md against the tests, both ways: every client of its table has a section and
a test in test_clients.c whose name starts with its id; every test there, and every capture of
test_captures.c, is of a client in the table; every capture in tests/data is replayed. Paths in the
table and in the sections must be routes of the server."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
passed = failed = 0


def check(ok, what):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print("clients:", what)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def of_client(name, ids):
    """The id that a test's name starts with: the longest, because some start with another's."""
    fits = [i for i in ids if (name + "_").startswith(i.replace("-", "_") + "_")]
    return max(fits, key=len, default=None)


def check_document(text):
    rows = re.findall(r"^\| `([a-z0-9-]+)` \|(.*)$", text, re.M)
    ids = [row[0] for row in rows]
    sections = re.findall(r"^### `([a-z0-9-]+)`", text, re.M)
    check(len(ids) >= 15 and len(set(ids)) == len(ids), f"the table has a row twice, or few: {ids}")
    check(sections == ids, f"the sections {sections} are not the rows {ids}, in their order")
    for client, row in rows:
        check(row.count("|") == 5, f"{client}: the row has another number of columns")
    return ids


def check_tests(ids):
    tests = re.findall(r"^START_TEST\((\w+)\)", read("tests/api/test_clients.c"), re.M)
    found = {name: of_client(name, ids) for name in tests}
    for name, client in found.items():
        check(client is not None, f"{name} is of no client in docs/clients.md")
    for client in ids:
        check(client in found.values(), f"{client} has no test in tests/api/test_clients.c")


def check_captures(ids):
    text = read("tests/api/test_captures.c")
    rows = dict(re.findall(r'\{"([\w-]+)",\s*"([\w-]+)",\s*\d{3},', text))
    sessions = dict(re.findall(r'= "([\w-]+)"; /\* client: ([\w-]+) \*/', text))
    check(len(rows) > 20 and len(sessions) == 2, f"the table of captures isn't found: {sessions}")
    for capture, client in {**rows, **sessions}.items():
        check(client in ids, f"{capture}: {client} is no client in docs/clients.md")
    for file in os.listdir(os.path.join(ROOT, "tests/data/captures")):
        if file.endswith(".http"):
            name = file.removesuffix(".http")
            check(name in rows or re.sub(r"-\d$", "", name) in sessions or name in sessions,
                  f"{file} is replayed by nobody")


def check_paths(text):
    routes = re.findall(r'"(/(?:fw|static)/[^"]*)"', read("server/routes.c"))
    patterns = [re.compile(re.sub(r"\\{\w+\\}", "[^/?]+", re.escape(route)) + r"(\?.*)?$") for route in routes]
    # A base URL that the sketch puts a name behind, or a name that the text itself shows as cut.
    for path in set(re.findall(r"(?<=[`\"/0 ])/(?:fw|static)/[^\s`\"'|,)]*", text)):
        shown = path.replace("…", "x")
        check(shown.endswith("/") or any(p.match(shown) for p in patterns), f"{path} is no route")


def main():
    text = read("docs/clients.md")
    ids = check_document(text)
    check_tests(ids)
    check_captures(ids)
    check_paths(text)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
