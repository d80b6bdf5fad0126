# SPDX-License-Identifier: MIT
"""Gives idf.py the action `publish`: builds the application and publishes it to an otad server.
Copy this file and otad_publish.py into the project's folder, then

  OTAD_KEY=… idf.py publish --server http://192.168.1.10:8070 --product sensor

The version is the one in the image, esp_app_desc (PROJECT_VER, or what git describes). Settings
may also stand in the environment: see otad_publish.py."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import otad_publish  # noqa: E402


def action_extensions(base_actions, project_path):
    def publish(_action, _ctx, args, **options):
        with open(os.path.join(args.build_dir, "project_description.json"), encoding="utf-8") as file:
            image = os.path.join(args.build_dir, json.load(file)["app_bin"])
        settings = {name: options.get(name) or os.environ.get("OTAD_" + name.upper(), "")
                    for name in otad_publish.SETTINGS}
        status = otad_publish.publish_and_tell(image, options.get("key_file") or "", settings, os.environ)
        if status != 0:
            sys.exit(status)

    options = [{"names": ["--" + name.replace("_", "-")], "help": text, "default": None} for name, text in (
        ("server", "URL of the otad server"), ("product", "product on the server"),
        ("version", "version, if not the one in the image"), ("channel", "channel to release on"),
        ("notes", "release notes"), ("key_file", "file that holds the key; else OTAD_KEY is it"))]
    return {"version": "1", "actions": {"publish": {
        "callback": publish, "help": "Publish the application to an otad server.", "options": options,
        "dependencies": ["app"]}}}
