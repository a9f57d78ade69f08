"""The page of both commands."""

from __future__ import annotations

from collections.abc import Iterator

from tests.docs.command_line import SPOOL, UPLOADER, Parameter, Subcommand

EXIT_CODES = {
    0: ("", "It is done; what was asked about is fine."),
    1: ("", "There is no such event; the answer was no; or what was checked is not fine."),
    2: ("", "There is no such subcommand or option, or it does not take that value."),
    64: ("EX_USAGE", "Options do not go together, or nobody is there to be asked."),
    65: ("EX_DATAERR", "A bundle or its receipts are damaged, or not ours."),
    66: ("EX_NOINPUT", "The file to read is no regular file."),
    67: ("EX_NOUSER", "The user of the service does not exist."),
    69: ("EX_UNAVAILABLE", "No service manager, the service does not run, or the port is taken."),
    70: ("EX_SOFTWARE", "The self-test of the service failed."),
    73: ("EX_CANTCREAT", "The disk is full or read-only, or a file is in the way."),
    74: ("EX_IOERR", "A bundle cannot be written, or not all of it."),
    75: ("EX_TEMPFAIL", "Not all could be done now: run it again later."),
    77: ("EX_NOPERM", "The mode, a site policy, or the permissions of a file forbid it."),
    78: ("EX_CONFIG", "A setting is wrong."),
}
"""What the exit codes of both commands mean, and their names in sysexits.h."""

_HEAD = """\
# Commands

Made from the command lines by `python -m tests.docs.pages`; a test compares.

`telemetry-spool` is for looking and deciding, and never touches the network; `telemetry-uploader`
does the sending. Each subcommand has `-h` and `--help`; `--install-completion` teaches the shell to
complete them, ids of events included. What goes wrong is one line on stderr, which names the
remedy, and an [exit code](#exit-codes). An id of an event may be shortened to its beginning.
[session.md](session.md) shows the first hour with them.
"""

_SETTINGS_HEAD = """
## Settings as flags

For the subcommands above that name them; [settings.md](settings.md) has what is allowed, and why
each default is what it is.

"""

_EXIT_CODES_HEAD = """
## Exit codes

Where a subcommand gives one a closer meaning, it says so above.

| code | in `sysexits.h` | what it means |
|---|---|---|
"""


def commands_page() -> str:
    """Return `docs/commands.md`."""
    page = _HEAD + _command(SPOOL) + _command(UPLOADER) + _SETTINGS_HEAD
    with_settings = next(filter(_has_settings, UPLOADER[1:]))
    page += "".join(_row(each) for each in with_settings.parameters if each.is_setting)
    page += _EXIT_CODES_HEAD
    for code, (name, meaning) in EXIT_CODES.items():
        page += f"| {code} | {f'`{name}`' if name else ''} | {meaning} |\n"
    return page


def _command(known: list[Subcommand]) -> str:
    root, *others = known
    page = f"\n## {root.name}\n\n{root.paragraphs[0]}\n\n"
    described = [each for each in others if not each.has_subcommands]
    for each in described:
        page += f"- [`{each.name}`](#{each.name.replace(' ', '-')}): {each.paragraphs[0]}\n"
    return page + "".join(map(_section, described))


def _section(each: Subcommand) -> str:
    page = f"\n### {each.name}\n\n```\n{_usage(each)}\n```\n\n"
    page += "\n\n".join(each.paragraphs) + "\n"
    if rows := "".join(_rows(each)):
        page += f"\n{rows}"
    examples = "".join(f"{example}\n" for example in each.examples)
    return page + f"\n```sh\n{examples}```\n"


def _usage(each: Subcommand) -> str:
    words = [each.name]
    if not all(parameter.is_argument for parameter in each.parameters):
        words.append("[OPTIONS]")
    for parameter in each.parameters:
        if parameter.is_argument:
            (name,) = parameter.names
            words.append(name if parameter.is_required else f"[{name}]")
    return " ".join(words)


def _rows(each: Subcommand) -> Iterator[str]:
    for parameter in each.parameters:
        if not parameter.is_setting:
            yield _row(parameter)
    if _has_settings(each):
        yield "- each [setting](#settings-as-flags), as a flag.\n"


def _row(parameter: Parameter) -> str:
    names = ", ".join(f"`{name}`" for name in parameter.names)
    return f"- {names}: {' '.join([parameter.help, *parameter.notes])}\n"


def _has_settings(each: Subcommand) -> bool:
    return any(parameter.is_setting for parameter in each.parameters)
