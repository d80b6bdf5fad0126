# SPDX-License-Identifier: MIT
# Flattens JSON to lines "path<TAB>value" for the scripts that may not need jq:
#   {"items":[{"mac":"5C:…"}]}  →  items.0.mac<TAB>5C:…
# Strings lose their quotes and the escapes \" \\ \/ (others stay as they are). One document on
# standard input; broken JSON gives what was read so far and exit 1.
{ text = text $0 "\n" }
END { skip(); value(""); exit 0 }

function skip() { sub(/^[ \t\r\n]+/, "", text) }
function fail() { exit 1 }
function take(n,   t) { t = substr(text, 1, n); text = substr(text, n + 1); return t }
function join(path, key) { return path == "" ? key : path "." key }

function string(   t) {
    if (!match(text, /^"([^"\\]|\\.)*"/)) fail()
    t = take(RLENGTH)
    t = substr(t, 2, length(t) - 2)
    gsub(/\\n/, " ", t)
    gsub(/\\["\\\/]/, "&\001", t)   # mark, then drop the backslash before the mark
    gsub(/\\"\001/, "\"", t); gsub(/\\\/\001/, "/", t); gsub(/\\\\\001/, "\\", t)
    return t
}

function object(path,   key) {
    take(1); skip()
    if (substr(text, 1, 1) == "}") { take(1); return }
    for (;;) {
        skip(); key = string(); skip()
        if (take(1) != ":") fail()
        skip(); value(join(path, key)); skip()
        key = take(1)
        if (key == "}") return
        if (key != ",") fail()
    }
}

function array(path,   i, c) {
    take(1); skip()
    if (substr(text, 1, 1) == "]") { take(1); return }
    for (i = 0; ; i++) {
        skip(); value(join(path, i)); skip()
        c = take(1)
        if (c == "]") return
        if (c != ",") fail()
    }
}

function value(path,   c) {
    c = substr(text, 1, 1)
    if (c == "{") object(path)
    else if (c == "[") array(path)
    else if (c == "\"") print path "\t" string()
    else if (match(text, /^[-+.0-9A-Za-z]+/)) print path "\t" take(RLENGTH)
    else fail()
}
