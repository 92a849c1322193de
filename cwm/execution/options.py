"""How settings look on the command line."""

import tyro


def shown_as(metavar: str, *, aliases: tuple[str, ...] = ()) -> object:
    """Returns how `--help` shows an option: what follows it, in capitals.

    No default is shown where there is none: the text says what happens then.
    """
    return tyro.conf.arg(
        metavar=metavar,
        aliases=aliases,
        help_behavior_hint=lambda default: (
            "" if default == "None" else f"(default: {default})"
        ),
    )
