#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes into a database beside the daemon what browser tests can't wait for.
usage: seed.py otad.db history SLUG DAYS       who ran what on the last days
       seed.py otad.db devices SLUG COUNT      so many devices
       seed.py otad.db age-sessions            all sessions are over"""
import sqlite3
import sys
import time

DAY = 86400


def history(db, slug, days):
    product = db.execute("SELECT id FROM product WHERE slug = ?", (slug,)).fetchone()[0]
    devices = db.execute("SELECT count(*) FROM device WHERE product = ?", (product,)).fetchone()[0]
    today = int(time.time()) // DAY * DAY
    for back in range(days, 0, -1):
        done = days - back
        shares = {"1.0.0": max(0, days * 6 // 10 - done), "1.1.0": min(done, days * 7 // 10 - done // 3), "2.0.0": max(0, done - days // 2)}
        total = sum(shares.values())
        for version, share in shares.items():
            n = devices * share // total
            if n > 0:
                db.execute("INSERT OR REPLACE INTO stat_version (product, day_s, version, devices) VALUES (?, ?, ?, ?)",
                           (product, today - back * DAY, version, n))


def many(db, slug, count):
    product = db.execute("SELECT id FROM product WHERE slug = ?", (slug,)).fetchone()[0]
    now = int(time.time())
    db.execute("UPDATE product SET max_devices = 1000000 WHERE id = ?", (product,))
    db.executemany(
        "INSERT INTO device (product, mac, version, chip, address, first_seen_s, last_seen_s, note) VALUES (?, ?, ?, 'ESP32', ?, ?, ?, '')",
        ((product, 0x30AEA4000000 + i, f"1.{i % 7}.0", f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}", now - 90 * DAY, now - i % (20 * DAY)) for i in range(count)))


def main():
    db = sqlite3.connect(sys.argv[1], timeout=30)
    db.execute("PRAGMA foreign_keys = ON")
    with db:
        if sys.argv[2] == "history":
            history(db, sys.argv[3], int(sys.argv[4]))
        elif sys.argv[2] == "devices":
            many(db, sys.argv[3], int(sys.argv[4]))
        elif sys.argv[2] == "age-sessions":
            db.execute("UPDATE session SET expires_at_s = 1")
        else:
            sys.exit(__doc__)
    db.close()


main()
