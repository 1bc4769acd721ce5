"""The pages of the documentation: their blocks of code, with what hidden comments say about each, and their prose.

A block is fenced by ``` and names its language. Comments around it, which no reader sees, say what its test needs:

    <!-- given: COMMANDS -->      before it: done first, with the functions of helpers.sh. Baton's log then has the
                                 lines of a block of text; a block of YAML is then /etc/baton/baton.yaml
    <!-- then: COMMANDS -->       after it: must succeed afterwards
    <!-- exit: N -->              before it: its last command ends with N
    <!-- not run: KIND -->        before it: KIND is one of those in excepted.py
"""
import dataclasses
import pathlib
import re
import subprocess

root = pathlib.Path(__file__).resolve().parents[2]


@dataclasses.dataclass
class Block:
    page: str
    line: int                          # of its first line of code
    language: str
    text: str
    given: str = ""
    then: str = ""
    exit: int = 0
    not_run: str = ""

    @property
    def place(self):
        return f"{self.page}:{self.line}"


def pages():
    """Those that must run, or be excepted: README.md and what is in docs/."""
    found = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    return [str(path.relative_to(root)) for path in found]


def all_pages():
    """Every page of the repository."""
    listed = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard", "*.md"],
                            cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    if listed.returncode == 0:
        return [name for name in listed.stdout.split() if (root / name).exists()]
    return [str(path.relative_to(root)) for path in sorted(root.rglob("*.md"))
            if "build" not in path.relative_to(root).parts and "node_modules" not in path.parts]


FENCE = re.compile(r"^( *)(`{3,})(\S*) *$")
COMMENT = re.compile(r"<!-- (given|then|exit|not run): (.*?) *-->", re.DOTALL)


def read(page):
    """(blocks, prose): the prose is a list of (line number, text) without the blocks and comments."""
    text = (root / page).read_text()
    for unknown in re.findall(r"<!--.*?-->", text, re.DOTALL):
        if not COMMENT.fullmatch(unknown):
            raise ValueError(f"{page}: the tests do not know the comment {unknown}")
    blocks, prose = [], []
    pending, open_block, closing = {}, None, ""
    lines = COMMENT.sub(lambda match: match[0].replace("\n", "\0"), text).split("\n")
    number = 0
    for line in lines:
        number += 1
        if open_block is not None:
            if line.strip() == closing:
                blocks.append(open_block)
                open_block = None
            else:
                open_block.text += line.removeprefix(indent) + "\n"
            continue
        if fence := FENCE.match(line):
            indent, closing, language = fence.groups()
            open_block = Block(page, number + 1, language, "", **pending)
            pending = {}
            continue
        for kind, value in COMMENT.findall(line):
            value = value.replace("\0", "\n")
            if kind == "then":
                blocks[-1].then = value
            else:
                pending[kind.replace(" ", "_")] = int(value) if kind == "exit" else value
        number += line.count("\0")
        prose.append((number, COMMENT.sub("", line)))
    if pending or open_block is not None:
        raise ValueError(f"{page}: a comment stands before no block, or a block has no end")
    return blocks, prose


def commands_and_output(text):
    """A console's [(command, the lines that it prints)]."""
    found = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found and found[-1][0].endswith("\\") and not found[-1][1]:
            found[-1] = (found[-1][0] + "\n" + line, [])
        elif found:
            found[-1][1].append(line)
        else:
            raise ValueError("a console's first line is a command, `$ …`")
    return found
