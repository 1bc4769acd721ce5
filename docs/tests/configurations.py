"""Configurations in the pages, without a library for YAML: parts made whole, and the files that they name."""
import functools
import pathlib
import re
import subprocess
import tempfile


def sections_of(text):
    return re.findall(r"^([a-z_]+):", text, re.MULTILINE)


def whole(text):
    """A part of a configuration with what it needs besides. A list of routes may stand without its key."""
    if re.match(r"- (match|name|upstream|redirect|respond)", text):
        text = "routes:\n" + re.sub(r"^", "  ", text, flags=re.MULTILINE)
    sections = sections_of(text)
    if "version" in sections:
        return text
    added = "version: 1\n"
    if "listeners" not in sections:
        added += 'listeners: [ { name: web, bind: ":8080" } ]\n'
    if "upstreams" not in sections:
        names = dict.fromkeys(re.findall(r"\bupstream: ([a-z_]+)", text)) or {"app": None}
        added += "upstreams:\n" + "".join(
            f'  - {{ name: {name}, servers: [ {{ address: "127.0.0.1:{9000 + number}" }} ] }}\n'
            for number, name in enumerate(names))
    elif "routes" not in sections and "protocol: tcp" not in text:
        first = re.search(r"name: ([a-z_]+)", text[text.index("upstreams:"):])[1]
        added += f"routes: [ {{ upstream: {first} }} ]\n"
    return added + text


@functools.cache
def certificate():
    """(certificate, key) in PEM."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "365", "-subj", "/CN=example.com", "-addext",
                        "subjectAltName=DNS:example.com,DNS:localhost",
                        "-keyout", f"{folder}/key", "-out", f"{folder}/cert"], check=True, stderr=subprocess.DEVNULL)
        return pathlib.Path(folder, "cert").read_text(), pathlib.Path(folder, "key").read_text()


# The password is `secret`, as SHA-512 crypt.
HTPASSWD = ("ann:$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN."
            "Pq.H91p5hVO1\n")


def files_named_in(text):
    """{path: content} for the files without which a configuration is refused."""
    files = {}
    lines = re.sub(r"(^| )#.*", "", text, flags=re.MULTILINE)
    for key, path in re.findall(r"\b([a-z0-9_]+): \"?(/[^\s,}\]\"]+)", lines):
        if "*" in path and key != "folder" or "{" in path or "$" in path:
            continue
        if key in ("cert", "ca", "client_ca"):
            files[path] = certificate()[0]
        elif key == "key":
            files[path] = certificate()[1]
        elif key == "folder":
            folder = re.sub(r"\*", "example.com", path).rstrip("/")
            files[f"{folder}/fullchain.pem"], files[f"{folder}/privkey.pem"] = certificate()
        elif key == "file" and "htpasswd" in path:
            files[path] = HTPASSWD
        elif key == "file" or key.isdigit():
            files[path] = "a page\n"
    for named in re.findall(r"\binclude: (.*)", lines):
        for path in re.findall(r"(?:^|[\[ ,])(/[^\s,\]*]+)(?=[\s,\]]|$)", named):
            files[path] = ""
    return files
