#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Publishes a firmware file to an otad server. Needs Python 3.7 and nothing else. Three uses:

  by hand or in CI   python3 otad_publish.py --server URL --product lamp --version 1.0.1 firmware.bin
  PlatformIO         extra_scripts = post:otad_publish.py   then   pio run -t publish
  a module           otad_publish.publish(...), as idf_ext.py does

Each setting is an option of the command line, an environment variable, or a custom_ option of
platformio.ini, in this order:

  --server    OTAD_SERVER    custom_otad_server     http://192.168.1.10:8070
  --product   OTAD_PRODUCT   custom_otad_product    lamp
  --version   OTAD_VERSION   custom_otad_version    1.0.1; may be left out when the image says it
  --channel   OTAD_CHANNEL   custom_otad_channel    the product's default; "none" keeps it back
  --notes     OTAD_NOTES     custom_otad_notes
  --key-file  OTAD_KEY       custom_otad_key_file   the key: a file, or the variable's value itself
                             custom_otad_auto       yes: publish after every build

A key of the role `publisher`, bound to the product, is enough. Never put the server into
upload_port: PlatformIO takes an address there for a device and starts espota."""
import argparse
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

SETTINGS = ("server", "product", "version", "channel", "notes")


class Failed(Exception):
    """What went wrong, for a person."""


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected upload would lose its body and give the key to somebody else."""

    def redirect_request(self, *_):
        return None


def explain(error):
    try:
        told = json.loads(error.read().decode())["error"]
        return f"{error.code} {told['message']}" + (f"\n{told['hint']}" if told.get("hint") else "")
    except (ValueError, KeyError, TypeError):
        return f"{error.code} {error.reason}: is this an otad server?"


def publish(path, key, server, product, **fields):
    """Uploads a file; empty fields are left out. Returns (is new, the server's answer) or raises
    Failed. The same file under the same version is there already: no failure, so that a job may
    run twice."""
    for name, value in (("server", server), ("product", product), ("key", key)):
        if not value:
            raise Failed(f"no {name}: see the head of otad_publish.py for where it is set")
    if urllib.parse.urlsplit(server).scheme not in ("http", "https"):
        raise Failed(f"the server is '{server}', expected http://HOST:PORT")
    try:
        with open(path, "rb") as file:
            image = file.read()
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from None
    query = {name: value for name, value in fields.items() if value}
    query["filename"] = os.path.basename(path)
    url = (server.rstrip("/") + "/api/v1/products/" + urllib.parse.quote(product, safe="") + "/builds?"
           + urllib.parse.urlencode(query))
    request = urllib.request.Request(url, data=image, method="POST")
    request.add_header("Authorization", "Bearer " + key)
    request.add_header("Content-Type", "application/octet-stream")
    try:
        with urllib.request.build_opener(NoRedirect).open(request, timeout=120) as answer:
            return answer.status == 201, json.loads(answer.read().decode())
    except urllib.error.HTTPError as error:
        raise Failed(explain(error)) from None
    except (OSError, ValueError) as error:
        raise Failed(f"{server}: {getattr(error, 'reason', error)}") from None


def read_key(key_file, environ):
    if not key_file:
        return environ.get("OTAD_KEY", "").strip()
    try:
        with open(os.path.expanduser(key_file), encoding="ascii") as file:
            return file.read().strip()
    except (OSError, ValueError) as error:
        raise Failed(f"the key file {key_file} can't be read: {error}") from None


def publish_and_tell(path, key_file, settings, environ):
    """Returns an exit status."""
    try:
        fields = dict(settings)
        is_new, build = publish(path, read_key(key_file, environ), fields.pop("server", ""),
                                fields.pop("product", ""), **fields)
    except Failed as failure:
        print(f"otad: not published: {failure}", file=sys.stderr)
        return 1
    print(f"otad: {settings['product']} {build.get('version')} is "
          + ("published" if is_new else "there already") + f", build {build.get('id')}")
    for warning in build.get("warnings") or []:
        print(f"otad: warning: {warning}")
    return 0


def main(args=None, environ=os.environ):
    parser = argparse.ArgumentParser(description="Publishes a firmware file to an otad server.")
    parser.add_argument("file")
    for name in SETTINGS:
        parser.add_argument("--" + name, default=environ.get("OTAD_" + name.upper(), ""))
    parser.add_argument("--key-file", default="", help="file that holds the key; else OTAD_KEY is it")
    options = parser.parse_args(args)
    return publish_and_tell(options.file, options.key_file,
                            {name: getattr(options, name) for name in SETTINGS}, environ)


def attach(env, environ=os.environ):
    """Gives a PlatformIO environment the target `publish`."""
    def option(name):
        return environ.get("OTAD_" + name.upper()) or env.GetProjectOption("custom_otad_" + name, "")

    def run(*_args, **_kwargs):
        key_file = "" if environ.get("OTAD_KEY") else env.GetProjectOption("custom_otad_key_file", "")
        return publish_and_tell(env.subst(image), key_file, {name: option(name) for name in SETTINGS},
                                environ)

    image = "$BUILD_DIR/${PROGNAME}.bin"
    env.AddCustomTarget(name="publish", dependencies=image, actions=[run], title="Publish",
                        description="Publish the firmware to otad")
    if env.GetProjectOption("custom_otad_auto", "").lower() in ("yes", "true", "1", "on"):
        env.AddPostAction(image, run)


if "Import" in globals():  # SCons, which gives its scripts this function
    Import("env")  # noqa: F821
    attach(env)  # noqa: F821
elif __name__ == "__main__":
    sys.exit(main())
