"""Numbers of things in sentences."""


def counted(number: int, noun: str) -> str:
    """Returns a number with its noun, in the plural unless it is one.

    Args:
        number: How many.
        noun: One of them; its plural ends with an s more.
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
