#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds docs/api.yaml against a running daemon: its routes, methods and access classes against
GET /api/v1/endpoints, and its schemas against real answers of every GET and of the changes that
lead there."""
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

import yaml

BUILD = os.environ.get("BUILD", "build")
MAC = "5C:CF:7F:A1:B2:C3"
METHODS = ("get", "head", "post", "put", "patch", "delete")
passed = failed = 0


def check(ok, what):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print("api_yaml:", what)
    return ok


# ---- a small validator: types, required, properties, items, enum, pattern, allOf, $ref ----------

def deref(doc, node):
    while isinstance(node, dict) and "$ref" in node:
        target = doc
        for part in node["$ref"].lstrip("#/").split("/"):
            target = target[part]
        node = target
    return node


TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}


def validate(doc, schema, value, at, known=None):
    """Yields what is wrong. Keys that the schema doesn't name are wrong too."""
    schema = deref(doc, schema)
    if "allOf" in schema:
        parts = [deref(doc, part) for part in schema["allOf"]]
        names = {name for part in parts for name in part.get("properties", {})}
        for part in parts:
            yield from validate(doc, part, value, at, names)
        return
    if value is None:
        if not schema.get("nullable") and "type" in schema:
            yield f"{at} is null"
        return
    want = schema.get("type")
    if want and (not isinstance(value, TYPES[want]) or (want == "integer" and isinstance(value, bool))):
        yield f"{at} is {type(value).__name__}, not {want}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at} is {value!r}, not one of {schema['enum']}"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{at} is {value!r}, which {schema['pattern']} doesn't match"
    if want == "array":
        for i, item in enumerate(value):
            yield from validate(doc, schema.get("items", {}), item, f"{at}[{i}]")
    if want == "object":
        properties = schema.get("properties", {})
        for name in schema.get("required", []):
            if name not in value:
                yield f"{at}.{name} is missing"
        for name, item in value.items():
            if name in properties:
                yield from validate(doc, properties[name], item, f"{at}.{name}")
            elif properties and name not in (known or ()):
                yield f"{at}.{name} is not in api.yaml"


# ---- the daemon ---------------------------------------------------------------------------------

class Daemon:
    def __init__(self, folder):
        self.data = os.path.join(folder, "data")
        self.log = open(os.path.join(folder, "log"), "w+")
        self.process = subprocess.Popen(
            [f"{BUILD}/otad", "serve", "--data-dir", self.data, "--listen", "127.0.0.1:0"],
            stderr=self.log)
        address = os.path.join(self.data, "otad.addr")
        for _ in range(600):
            if os.path.exists(address) or self.process.poll() is not None:
                break
            time.sleep(0.05)
        with open(address) as file:
            self.url = "http://" + file.readline().strip()
        self.key = subprocess.run(
            [f"{BUILD}/otad", "key", "create", "--data-dir", self.data, "--name", "test", "--role",
             "admin"], check=True, capture_output=True, text=True).stdout.strip()

    def ask(self, method, path, body=None, content_type="application/json", key=True):
        """status, headers, body bytes"""
        request = urllib.request.Request(self.url + path, method=method)
        if key:
            request.add_header("Authorization", "Bearer " + self.key)
        if body is not None:
            if not isinstance(body, bytes):
                body = json.dumps(body).encode()
            request.add_header("Content-Type", content_type)
            request.data = body
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=60)
        check(status == 0, f"the daemon ended with {status}")


# ---- the two comparisons ------------------------------------------------------------------------

def compare_routes(doc, daemon):
    def names_gone(path):  # {mac} or {word}: the name is each side's own
        return re.sub(r"\{\w+\}", "{}", path)

    declared, served = {}, {}
    for path, item in doc["paths"].items():
        for method in METHODS:
            if method in item:
                declared[(method.upper(), names_gone(path))] = item[method].get("x-access")
    for row in json.loads(daemon.ask("GET", "/api/v1/endpoints")[2])["items"]:
        for method in re.split(r"[,\s]+", row["methods"]):
            served[(method, names_gone(row["path"]))] = row["access"]
    for route in sorted(set(declared) | set(served)):
        if route not in served:
            check(False, f"{route} is in api.yaml, but the daemon has no such route")
        elif route not in declared:
            check(False, f"{route} is served, but not in api.yaml")
        else:
            check(declared[route] == served[route],
                  f"{route} has x-access {declared[route]}, the daemon says {served[route]}")
    for path, item in doc["paths"].items():
        for method in METHODS:
            if method not in item:
                continue
            named = {deref(doc, p)["name"] for p in item.get("parameters", []) +
                     item[method].get("parameters", []) if deref(doc, p)["in"] == "path"}
            check(named == set(re.findall(r"\{(\w+)\}", path)),
                  f"{method} {path} declares the path parameters {sorted(named)}")


class Answers:
    def __init__(self, doc, daemon):
        self.doc, self.daemon, self.seen = doc, daemon, set()

    def schema(self, operation, status):
        responses = operation["responses"]
        answer = deref(self.doc, responses.get(str(status), responses.get("default")))
        return answer, (answer or {}).get("content", {}).get("application/json", {}).get("schema")

    def ask(self, method, template, status, body=None, content_type="application/json", query="",
            key=True, **names):
        """Makes one call, holds its answer against the operation, returns the JSON (or bytes)."""
        item = self.doc["paths"][template]
        operation = item[method.lower()]
        path = template
        for name, value in names.items():
            path = path.replace("{" + name + "}", str(value))
        got, headers, data = self.daemon.ask(method, path + query, body, content_type, key)
        at = f"{method} {path}{query}"
        check(got == status, f"{at} was answered {got}, not {status}: {data[:300]!r}")
        answer, schema = self.schema(operation, got)
        check(answer is not None, f"{at}: {got} is not declared")
        if got < 400:
            self.seen.add((method, template))
        if schema is None or method == "HEAD":
            return data
        check(headers["Content-Type"] == "application/json", f"{at} is {headers['Content-Type']}")
        value = json.loads(data)
        wrong = list(validate(self.doc, schema, value, "answer"))
        check(not wrong, f"{at}: " + "; ".join(wrong[:5]))
        return value


def watch(a, product, event_id):
    """Reads the events behind an id until one of each kind that walk() caused has come."""
    request = urllib.request.Request(f"{a.daemon.url}/api/v1/events?product={product}&after={event_id}")
    request.add_header("Authorization", "Bearer " + a.daemon.key)
    wanted, kind = {"lost", "check_in", "transfer", "update", "change"}, None
    with urllib.request.urlopen(request, timeout=60) as stream:
        check(stream.headers["Content-Type"] == "text/event-stream", "events are no event-stream")
        while wanted:
            line = stream.readline().decode().rstrip("\n")
            if line.startswith("event: "):
                kind = line[7:]
                wanted.discard(kind)
            elif line.startswith("data: ") and kind != "lost":
                value = json.loads(line[6:])
                wrong = list(validate(a.doc, {"$ref": "#/components/schemas/Event"}, value, kind))
                check(not wrong and value["kind"] == kind, f"event {line}: " + "; ".join(wrong[:5]))
    a.seen.add(("GET", "/api/v1/events"))


def image(folder, name, *arguments):
    path = os.path.join(folder, name)
    subprocess.run([f"{BUILD}/tests/mkimage", "--out", path, *arguments], check=True,
                   capture_output=True)
    with open(path, "rb") as file:
        return file.read()


def walk_session(a, daemon):
    """What a browser does: the page, its assets, in and out."""
    page = a.ask("GET", "/", 200, key=False).decode()
    a.ask("HEAD", "/", 200, key=False)
    assets = re.findall(r'"/assets/([^"]+)"', page)
    check(len(assets) >= 3, f"the page names {assets}; was otad built without node?")
    for name in assets:
        a.ask("GET", "/assets/{name}", 200, key=False, name=name)
        a.ask("HEAD", "/assets/{name}", 200, key=False, name=name)
    a.ask("POST", "/api/v1/session", 401, {"key": "x"}, key=False)
    a.ask("POST", "/api/v1/session", 201, {"key": daemon.key}, key=False)
    a.ask("GET", "/api/v1/session", 200)
    a.ask("DELETE", "/api/v1/session", 409)
    body = json.dumps({"key": daemon.key}).encode()
    request = urllib.request.Request(daemon.url + "/api/v1/session", body,
                                     {"Content-Type": "application/json"}, method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        cookie, csrf = answer.headers["Set-Cookie"].split(";")[0], json.loads(answer.read())["csrf"]
    request = urllib.request.Request(daemon.url + "/api/v1/session", method="DELETE",
                                     headers={"Cookie": cookie, "X-Otad-CSRF": csrf})
    with urllib.request.urlopen(request, timeout=60) as answer:
        if check(answer.status == 204, f"signing out was answered {answer.status}"):
            a.seen.add(("DELETE", "/api/v1/session"))


def walk(doc, daemon, folder):
    a = Answers(doc, daemon)
    p = "/api/v1/products/{product}"
    lamp = {"product": "lamp"}
    a.ask("GET", "/healthz", 200, key=False)
    a.ask("HEAD", "/healthz", 200, key=False)
    a.ask("GET", "/api/v1/candidates", 200)
    a.ask("GET", "/api/v1/status", 200)
    walk_session(a, daemon)
    a.ask("GET", "/api/v1/endpoints", 200)
    a.ask("GET", "/api/v1/products", 401, key=False)
    a.ask("POST", "/api/v1/products", 201, {"slug": "lamp", "name": "Lamp"})
    a.ask("POST", "/api/v1/products", 409, {"slug": "lamp"})
    a.ask("POST", "/api/v1/products", 422, {"slug": "Not Valid"})
    a.ask("POST", "/api/v1/products", 422, {"slug": "x", "colour": "red"})
    a.ask("GET", "/api/v1/products", 200)
    a.ask("GET", p, 200, **lamp)
    a.ask("GET", p, 404, product="none")
    a.ask("PATCH", p, 200, {"name": "Lamp 2", "max_devices": 50}, **lamp)

    raw = {"content_type": "application/octet-stream", **lamp}
    first = a.ask("POST", p + "/builds", 201, image(folder, "1", "--chip", "ESP8266", "--version",
                  "1.0.0", "--seed", "1"), query="?filename=Lamp%20%C3%A4.ino.bin", **raw)
    second_bytes = image(folder, "2", "--chip", "ESP8266", "--seed", "2")
    a.ask("POST", p + "/builds", 422, second_bytes, **raw)
    a.ask("POST", p + "/builds", 409, second_bytes, query="?version=1.0.0", **raw)
    subprocess.run([f"{BUILD}/otad-device", "--server", daemon.url, "--product", "lamp", "--mac", MAC,
                    "--state", folder + "/device", "--once"], check=True, capture_output=True)
    second = a.ask("POST", p + "/builds", 201, second_bytes, query="?version=1.1.0&notes=x", **raw)
    a.ask("POST", p + "/builds", 200, second_bytes, query="?version=1.1.0", **raw)
    other = a.ask("POST", p + "/builds", 201, second_bytes, query="?version=1.2.0&channel=beta", **raw)
    build = {"build": second["id"], **lamp}
    page = a.ask("GET", p + "/builds", 200, query="?limit=1", **lamp)
    check(page["next"] is not None, "a page of one of three builds has no next")
    a.ask("GET", p + "/builds", 200, query="?cursor=" + str(page["next"]), **lamp)
    a.ask("GET", p + "/builds", 422, query="?colour=red", **lamp)
    a.ask("GET", p + "/builds/{build}", 200, **build)
    a.ask("PATCH", p + "/builds/{build}", 200, {"notes": "ein Gruß"}, **build)
    check(a.ask("GET", p + "/builds/{build}/file", 200, **build) == second_bytes, "file differs")
    a.ask("HEAD", p + "/builds/{build}/file", 200, **build)
    a.ask("GET", p + "/builds/{build}/preflight", 200, **build)
    device = {"mac": "30:AE:A4:00:00:09", **lamp}
    push = a.ask("POST", p + "/devices/{mac}/push", 202,
                 {"address": "127.0.0.1", "port": 9, "patience_s": 30}, **device)
    a.ask("POST", p + "/devices/{mac}/push", 403, {"address": "192.0.2.1"}, **device)
    one = {"push": push["id"], **lamp}
    a.ask("GET", p + "/pushes/{push}", 200, **one)
    a.ask("DELETE", p + "/pushes/{push}", 204, **one)
    while a.ask("GET", p + "/pushes/{push}", 200, **one)["state"] == "running":
        time.sleep(0.1)
    a.ask("DELETE", p + "/pushes/{push}", 409, **one)
    a.ask("GET", p + "/pushes/{push}", 404, push="1", **lamp)
    a.ask("DELETE", p + "/devices/{mac}", 204, **device)
    a.ask("GET", p + "/channels", 200, **lamp)
    a.ask("GET", p + "/channels/{channel}", 200, channel="stable", **lamp)
    a.ask("POST", p + "/channels/{channel}/pause", 200, channel="stable", **lamp)
    a.ask("POST", p + "/channels/{channel}/resume", 200, channel="stable", **lamp)
    a.ask("POST", p + "/channels/{channel}/undo", 200, channel="stable", **lamp)
    a.ask("PATCH", p + "/channels/{channel}", 200, {"build": second["id"]}, channel="stable", **lamp)

    device = {"mac": MAC.replace(":", "").lower(), **lamp}
    fw = "/fw/{product}/"
    for name in ("latest", "latest.bin", "latest.version", "latest.md5", "latest.sha256"):
        a.ask("GET", fw + name, 200, key=False, **lamp)
        a.ask("HEAD", fw + name, 200, key=False, **lamp)
    a.ask("GET", fw + "latest", 304, query=f"?mac={MAC}&version=1.1.0", key=False, **lamp)
    a.ask("GET", fw + "latest", 404, key=False, product="none")
    a.ask("GET", fw + "{mac}.version", 200, key=False, **device)
    a.ask("HEAD", fw + "{mac}.version", 200, key=False, **device)
    a.ask("HEAD", fw + "{mac}.bin", 200, key=False, **device)
    check(a.ask("GET", fw + "{mac}.bin", 200, key=False, **device) == second_bytes, "{mac}.bin differs")
    offered = a.ask("GET", fw + "manifest.json", 200, key=False, **lamp)
    check(offered["version"] == "1.1.0" and offered["builds"][0]["chipFamily"] == "ESP8266",
          f"the manifest is {offered}")
    a.ask("HEAD", fw + "manifest.json", 200, key=False, **lamp)
    a.ask("GET", fw + "manifest.json", 404, key=False, product="none")
    issued = a.ask("POST", p + "/devices/{mac}/url", 201, {"build": second["id"]}, **device)
    a.ask("POST", p + "/builds/{build}/url", 201, {"expires_in_s": 60}, **build)
    offer = a.ask("GET", fw + "latest.json", 200, key=False, **lamp)
    a.ask("HEAD", fw + "latest.json", 200, key=False, **lamp)
    for url in (issued["url"], offer["url"]):
        name, token = re.fullmatch(r".*/static/fw_([^/]*)[.]bin[?](token=.{30})", url).groups()
        got = a.ask("GET", "/static/fw_{name}.bin", 200, query="?" + token, key=False, name=name)
        check(got == second_bytes, f"{url} differs")
        a.ask("HEAD", "/static/fw_{name}.bin", 200, query="?" + token, key=False, name=name)
    a.ask("GET", "/static/fw_{name}.bin", 403, query="?token=x", key=False, name=name)
    report = {"result": "failed", "code": -100, "message": "no space", "build": second["id"]}
    for _ in range(4):
        a.ask("POST", fw + "{mac}/report", 204, report, key=False, **device)
    a.ask("POST", fw + "{mac}/report", 429, report, key=False, **device)
    a.ask("POST", fw + "{mac}/report", 400, {"result": "maybe"}, key=False, **device)

    a.ask("GET", p + "/devices", 200, query="?q=5c:cf&version=1.0.0", **lamp)
    a.ask("GET", p + "/devices", 200, query="?state=installed&sort=mac", **lamp)
    a.ask("GET", p + "/devices", 422, query="?state=tired", **lamp)
    a.ask("GET", p + "/devices", 422, query="?sort=colour", **lamp)
    shown = a.ask("GET", p + "/devices", 200, **lamp)
    check(len(shown["items"]) == 1, f"{len(shown['items'])} devices are listed, not 1")
    a.ask("GET", p + "/devices/{mac}", 200, **device)
    a.ask("PATCH", p + "/devices/{mac}", 200, {"pin": first["id"], "held": True, "note": "ä"}, **device)
    a.ask("DELETE", p + "/builds/{build}", 409, **build)
    a.ask("PATCH", p + "/devices/{mac}", 200, {"pin": None, "held": False, "channel": "beta"}, **device)
    wanted = a.ask("POST", p + "/devices/{mac}/retry", 200, {}, **device)
    check(wanted["update"]["state"] == "pending", "a retry makes no pending update")
    ledger = a.ask("GET", p + "/updates", 200, query=f"?mac={MAC}&since=2020-01-01T00:00:00Z", **lamp)
    check(len(ledger["items"]) >= 2 and any(u["reports"] for u in ledger["items"]) and
          any(u["transfers"] for u in ledger["items"]), "the ledger is not what was done")
    a.ask("GET", p + "/updates/{update}", 200, update=ledger["items"][0]["id"], **lamp)
    a.ask("GET", p + "/updates", 422, query="?state=maybe", **lamp)
    a.ask("GET", p + "/updates", 200, query="?sort=-updated_at&limit=1", **lamp)
    _, headers, text = daemon.ask("GET", "/api/v1/products/lamp/updates?format=csv")
    check(headers["Content-Type"].startswith("text/csv") and len(text.split(b"\r\n")) == len(ledger["items"]) + 2,
          f"the ledger as CSV is {text!r}")

    carried = a.ask("POST", p + "/keys", 201, {"name": "2026"}, **lamp)
    check(carried["key"].startswith(carried["hint"]), "the hint is not the key's beginning")
    a.ask("POST", p + "/keys", 409, {"name": "2026"}, **lamp)
    a.ask("POST", p + "/keys", 422, {"name": "x", "role": "admin"}, **lamp)
    a.ask("GET", p + "/keys", 200, **lamp)
    a.ask("PATCH", p, 200, {"access": "key", "client": "tasmota"}, **lamp)
    a.ask("PATCH", p, 422, {"access": "closed"}, **lamp)
    a.ask("GET", fw + "latest", 404, key=False, **lamp)
    a.ask("GET", fw + "latest", 200, query="?key=" + carried["key"], key=False, **lamp)
    a.ask("GET", fw + "latest", 200, key=False, product="lamp~" + carried["key"])
    a.ask("GET", fw + "latest", 403, query=f"?key={carried['key']}&version=1.1.0", key=False, **lamp)
    a.ask("PATCH", p, 200, {"access": "open", "client": ""}, **lamp)
    status, _, _ = daemon.ask("DELETE", "/api/v1/products/lamp/keys/2026")
    if check(status == 204, f"revoking a product key was answered {status}"):
        a.seen.add(("DELETE", p + "/keys/{key}"))

    made = a.ask("POST", "/api/v1/keys", 201, {"name": "ci", "role": "publisher", "product": "lamp"})
    check(made["key"].startswith(made["hint"]), "the hint is not the key's beginning")
    a.ask("GET", "/api/v1/keys", 200)
    status, _, _ = daemon.ask("DELETE", "/api/v1/keys/ci")
    if check(status == 204, f"revoking a key was answered {status}"):
        a.seen.add(("DELETE", "/api/v1/keys/{key}"))
    a.ask("GET", "/api/v1/audit", 200, query="?limit=500")
    watch(a, "lamp", 1)
    numbers = a.ask("GET", p + "/stats", 200, **lamp)
    check(numbers["devices"] == 1 and numbers["failures"] and numbers["over_time"]["hours"] and
          numbers["over_time"]["versions"], f"the numbers are not what was done: {numbers}")
    a.ask("GET", p + "/stats", 404, product="none")
    a.ask("GET", "/api/v1/stats", 200)
    a.ask("GET", "/api/v1/events", 422, query="?after=x")
    recent = a.ask("GET", "/api/v1/events/recent", 200, query="?limit=2")
    check(len(recent["items"]) == 2 and recent["next"], "the recent events have no second page")
    older = a.ask("GET", "/api/v1/events/recent", 200, query=f"?product=lamp&cursor={recent['next']}")
    check(all(int(e["id"]) < int(recent["items"][1]["id"]) for e in older["items"]), "the second page begins anew")
    a.ask("GET", "/api/v1/events/recent", 422, query="?mac=x")
    updates = a.ask("GET", "/api/v1/events/recent", 200, query="?kind=update")
    check(updates["items"] and all(e["kind"] == "update" for e in updates["items"]), "not only updates are listed")
    a.ask("GET", "/api/v1/events/recent", 422, query="?kind=party")

    a.ask("POST", p + "/builds/{build}/withdraw", 200, **build)
    a.ask("POST", p + "/builds/{build}/withdraw", 200, build=other["id"], **lamp)
    a.ask("GET", p + "/devices/{mac}/explain", 200, query="?version=0.1&free_space=10", **device)
    a.ask("GET", p + "/devices/{mac}/explain", 422, query="?colour=red", **device)
    a.ask("POST", p + "/devices/{mac}/retry", 422, {"kind": "banana"}, **device)
    a.ask("PATCH", p, 200, {"attempts": 5, "patience_s": 60, "stop_percent": 50}, **lamp)
    a.ask("DELETE", p + "/devices/{mac}", 204, **device)
    a.ask("DELETE", p + "/builds/{build}", 204, **build)
    a.ask("DELETE", p, 409, **lamp)
    a.ask("DELETE", p, 204, query="?force=true", **lamp)

    for template, item in doc["paths"].items():
        for method in METHODS:
            if method in item:
                check((method.upper(), template) in a.seen,
                      f"{method.upper()} {template} was never asked with success")


def main():
    with open("docs/api.yaml") as file:
        doc = yaml.safe_load(file)
    folder = tempfile.mkdtemp(prefix="otad-api-")
    daemon = Daemon(folder)
    try:
        compare_routes(doc, daemon)
        walk(doc, daemon, folder)
        daemon.stop()
    finally:
        if daemon.process.poll() is None:
            daemon.process.kill()
        if failed:
            daemon.log.seek(0)
            print(daemon.log.read()[-3000:])
        shutil.rmtree(folder)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
