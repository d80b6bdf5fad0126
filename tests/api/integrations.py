#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Publishes to a spawned otad as the integrations of client/integrations do: the command line,
PlatformIO (its environment is a double of the calls that are used), idf.py, and the command that
the CI snippets end with."""
import contextlib
import importlib.util
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import types
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
FOLDER = ROOT + "/client/integrations"
passed = failed = 0
sys.dont_write_bytecode = True


def check(ok, what):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print("integrations:", what)


class Daemon:
    def __init__(self, folder):
        self.data = folder + "/data"
        self.log = open(folder + "/log", "w", encoding="utf-8")
        self.process = subprocess.Popen([BUILD + "/otad", "serve", "--data-dir", self.data, "--listen",
                                         "127.0.0.1:0"], stderr=self.log)
        for _ in range(600):
            if os.path.exists(self.data + "/otad.addr") or self.process.poll() is not None:
                break
            time.sleep(0.05)
        with open(self.data + "/otad.addr", encoding="ascii") as file:
            self.url = "http://" + file.readline().strip()
        self.admin = self.make_key("admin")
        for slug in ("lamp", "sensor"):
            self.ask("/api/v1/products", {"slug": slug})
        self.key = self.make_key("publisher", "--product", "lamp")
        self.sensor_key = self.make_key("publisher", "--product", "sensor")

    def make_key(self, role, *more):
        name = role + str(time.monotonic_ns())
        return subprocess.run([BUILD + "/otad", "key", "create", "--data-dir", self.data, "--name", name,
                               "--role", role, *more], check=True, capture_output=True, text=True).stdout.strip()

    def ask(self, path, body=None):
        request = urllib.request.Request(self.url + path, data=json.dumps(body).encode() if body else None)
        request.add_header("Authorization", "Bearer " + self.admin)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def versions(self, product):
        return [b["version"] for b in self.ask(f"/api/v1/products/{product}/builds")["items"]]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        check(self.process.wait(timeout=60) == 0, "the daemon did not end well")
        self.log.close()


class Env:
    """A double of PlatformIO's environment: what attach() calls."""

    def __init__(self, build_dir, **options):
        self.build_dir, self.options, self.targets, self.after = build_dir, options, {}, {}

    def GetProjectOption(self, name, default=None):
        check(name.startswith("custom_"), f"PlatformIO would warn of {name}")
        return self.options.get(name, default)

    def subst(self, text):
        return text.replace("$BUILD_DIR", self.build_dir).replace("${PROGNAME}", "firmware")

    def AddCustomTarget(self, name, dependencies, actions, title=None, description=None):
        check(title and description, "the target has no title")
        self.targets[name] = (dependencies, actions)

    def AddPostAction(self, files, action):
        self.after[files] = action


def load_as_scons(env):
    """Runs the script as SCons does: no __file__, no module, an Import() that gives `env`."""
    scope = {"__name__": "SCons.Script"}
    scope["Import"] = lambda name: scope.update({name: env})
    with open(FOLDER + "/otad_publish.py", encoding="utf-8") as file:
        exec(compile(file.read(), "otad_publish.py", "exec"), scope)  # pylint: disable=exec-used


def captured(call, *args):
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            status = call(*args)
        except SystemExit as end:
            status = end.code
    return status or 0, out.getvalue()


def make_image(chip, seed, path):
    subprocess.run([BUILD + "/tests/mkimage", "--chip", chip, "--seed", str(seed), "--out", path],
                   check=True, capture_output=True)
    return path


def check_platformio(daemon, folder):
    make_image("ESP8266", 1, folder + "/firmware.bin")
    key_file = folder + "/key"
    with open(key_file, "w", encoding="ascii") as file:
        file.write(daemon.key + "\n")
    options = {"custom_otad_server": daemon.url + "/", "custom_otad_product": "lamp", "upload_port": "10.0.0.9",
               "custom_otad_version": "1.0.1", "custom_otad_key_file": key_file}
    env = Env(folder, **options)
    load_as_scons(env)
    check(list(env.targets) == ["publish"] and not env.after, f"targets {env.targets}, after {env.after}")
    dependency, (action,) = env.targets["publish"]
    check(dependency == "$BUILD_DIR/${PROGNAME}.bin", f"publish depends on {dependency}")
    status, out = captured(lambda: action(source=[], target=[], env=env))
    check(status == 0 and "lamp 1.0.1 is published" in out, f"publish: {status} {out}")
    check(daemon.versions("lamp") == ["1.0.1"], "1.0.1 isn't there")
    status, out = captured(lambda: action([], [], env))
    check(status == 0 and "there already" in out, f"a second time: {status} {out}")
    make_image("ESP8266", 2, folder + "/firmware.bin")
    status, out = captured(lambda: action([], [], env))
    check(status == 1 and "409" in out and daemon.key not in out, f"other bytes: {status} {out}")

    env = Env(folder, **options, custom_otad_auto="yes")
    os.environ["OTAD_VERSION"] = "1.0.2"
    load_as_scons(env)
    status, out = captured(lambda: env.after["$BUILD_DIR/${PROGNAME}.bin"](source=[], target=[], env=env))
    del os.environ["OTAD_VERSION"]
    check(status == 0 and daemon.versions("lamp") == ["1.0.2", "1.0.1"], f"after a build: {status} {out}")

    env = Env(folder, **dict(options, custom_otad_key_file=folder + "/none"))
    load_as_scons(env)
    status, out = captured(lambda: env.targets["publish"][1][0]([], [], env))
    check(status == 1 and "can't be read" in out, f"no key file: {status} {out}")


def check_command_line(daemon, folder):
    image = make_image("ESP8266", 3, folder + "/Lamp.ino.bin")
    base = {"PATH": os.environ["PATH"], "OTAD_SERVER": daemon.url, "OTAD_PRODUCT": "lamp"}

    def run(*args, **environ):
        done = subprocess.run([sys.executable, FOLDER + "/otad_publish.py", *args], env={**base, **environ},
                              capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout + done.stderr

    status, out = run(image)
    check(status == 1 and "no key" in out, f"without a key: {status} {out}")
    status, out = run(image, OTAD_KEY=daemon.key)
    check(status == 1 and "version" in out, f"without a version: {status} {out}")
    status, out = run("--version", "2.0", image, OTAD_KEY="wrong")
    check(status == 1 and "401" in out, f"with a wrong key: {status} {out}")
    status, out = run("--version", "2.0", image, OTAD_KEY=daemon.sensor_key)
    check(status == 1 and re.search("40[34]", out), f"with the key of another product: {status} {out}")
    status, out = run("--version", "2.0", "--channel", "none", "--notes", "ä & b", image, OTAD_KEY=daemon.key)
    check(status == 0 and "2.0" in daemon.versions("lamp"), f"with a channel: {status} {out}")
    notes = daemon.ask("/api/v1/products/lamp/builds")["items"][0].get("notes")
    check(notes in (None, "ä & b"), f"the notes are {notes}")
    status, out = run("--server", "192.168.1.10:8070", "--version", "3", image, OTAD_KEY=daemon.key)
    check(status == 1 and "http://HOST:PORT" in out, f"a server without http: {status} {out}")
    status, out = run("--server", "http://127.0.0.1:9", "--version", "3", image, OTAD_KEY=daemon.key)
    check(status == 1 and "not published" in out and "Traceback" not in out, f"no server: {status} {out}")
    status, out = run("--version", "3", folder + "/none.bin", OTAD_KEY=daemon.key)
    check(status == 1 and "No such file" in out, f"no file: {status} {out}")


def check_redirect(folder):
    """A server that redirects gets no second request, so nobody else gets the key."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(307)
            self.send_header("Location", f"http://127.0.0.1:{server.server_port}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()
        do_GET = do_POST

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    done = subprocess.run([sys.executable, FOLDER + "/otad_publish.py", "--server",
                           f"http://127.0.0.1:{server.server_port}", "--product", "lamp", "--version", "1",
                           folder + "/Lamp.ino.bin"], env=dict(os.environ, OTAD_KEY="k"), capture_output=True,
                          text=True, timeout=60)
    server.shutdown()
    check(done.returncode == 1 and "307" in done.stderr and len(asked) == 1, f"redirected: {done.stderr} {asked}")


def check_idf(daemon, folder):
    make_image("ESP32-C3", 4, folder + "/sensor.bin")
    with open(folder + "/project_description.json", "w", encoding="utf-8") as file:
        json.dump({"app_bin": "sensor.bin"}, file)
    spec = importlib.util.spec_from_file_location("idf_ext", FOLDER + "/idf_ext.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    action = module.action_extensions({}, folder)["actions"]["publish"]
    check(action["dependencies"] == ["app"], "publish doesn't build first")
    names = {o["names"][0].lstrip("-").replace("-", "_") for o in action["options"]}
    check(names == {"server", "product", "version", "channel", "notes", "key_file"}, f"options {names}")
    args = types.SimpleNamespace(build_dir=folder)
    given = dict.fromkeys(names)
    os.environ["OTAD_KEY"] = daemon.sensor_key
    given.update(server=daemon.url, product="sensor", version="1.0")
    status, out = captured(lambda: action["callback"]("publish", None, args, **given))
    check(status == 0 and daemon.versions("sensor") == ["1.0"], f"idf.py publish: {status} {out}")
    given.update(product="lamp")
    status, out = captured(lambda: action["callback"]("publish", None, args, **given))
    check(status == 1 and "not published" in out, f"idf.py publish, wrong key: {status} {out}")
    del os.environ["OTAD_KEY"]


def check_snippets(daemon, folder):
    """Runs the publishing line of both, with the variables of a tag."""
    for name, tag in (("github-actions.yml", "GITHUB_REF_NAME"), ("gitlab-ci.yml", "CI_COMMIT_TAG")):
        with open(f"{FOLDER}/{name}", encoding="utf-8") as file:
            text = file.read()
        yaml.safe_load(text)
        (line,) = re.findall(r"python3 otad_publish\.py.*", text)
        check("OTAD_PRODUCT: lamp" in text and "OTAD_KEY" in text, f"{name} sets too little")
        image = make_image("ESP8266", 10 + len(name), folder + "/ci.bin")
        line = line.replace("otad_publish.py", FOLDER + "/otad_publish.py")
        line = line.replace(".pio/build/lamp/firmware.bin", image)
        version = "5." + str(len(name))
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60, env=dict(
            os.environ, OTAD_SERVER=daemon.url, OTAD_PRODUCT="lamp", OTAD_KEY=daemon.key, **{tag: "v" + version}))
        check(done.returncode == 0 and version in daemon.versions("lamp"), f"{name}: {done.stderr}")


def main():
    folder = tempfile.mkdtemp(prefix="otad-integrations-")
    daemon = Daemon(folder)
    try:
        check_platformio(daemon, folder)
        check_command_line(daemon, folder)
        check_redirect(folder)
        check_idf(daemon, folder)
        check_snippets(daemon, folder)
    finally:
        daemon.stop()
        shutil.rmtree(folder)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
