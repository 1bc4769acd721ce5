"""What `baton --help` lists: the commands of the program and their options."""
import re
import subprocess


def help_of(baton, *command):
    text = subprocess.run([baton, *command, "--help"], check=True, stdout=subprocess.PIPE, text=True).stdout
    sections, current = {}, None
    for line in text.splitlines():
        if heading := re.fullmatch(r"([A-Z][a-z]+):", line):
            current = sections.setdefault(heading[1], [])
        elif entry := re.match(r"  (\S+)", line):
            if current is not None:
                current.append(entry[1])
        else:
            current = None  # a paragraph
    return sections


def options(baton, *command):
    """Without --help, which each has."""
    listed = help_of(baton, *command)["Options"]
    return {name for entry in listed for name in entry.split(",")} - {"-h", "--help"}


def commands(baton, *command):
    return help_of(baton, *command)["Subcommands"]


def command_lines(baton):
    """{words of a command: its options}, without the program's own."""
    lines = {}
    for command in commands(baton):
        lines[command,] = options(baton, command)
    for command in commands(baton, "ctl"):
        lines["ctl", command] = options(baton, "ctl", command)
    return lines
