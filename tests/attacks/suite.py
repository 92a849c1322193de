"""All attacks, by category."""

from tests.attacks.attack import Attack
from tests.attacks.snippets.errors import errors
from tests.attacks.snippets.exits import bombs, exits
from tests.attacks.snippets.files import files
from tests.attacks.snippets.introspection import chains, peeking
from tests.attacks.snippets.native import kernel, native
from tests.attacks.snippets.network import network
from tests.attacks.snippets.objects import objects
from tests.attacks.snippets.parsing import parsing
from tests.attacks.snippets.processes import processes, signals
from tests.attacks.snippets.protocol import protocol
from tests.attacks.snippets.resources import memory, recursion, time
from tests.attacks.snippets.secrets_and_proc import secrets
from tests.attacks.snippets.tampering import leaks, tampering

CATEGORIES = (
    files,
    secrets,
    network,
    processes,
    signals,
    native,
    kernel,
    memory,
    time,
    recursion,
    exits,
    bombs,
    peeking,
    chains,
    tampering,
    leaks,
    objects,
    protocol,
    errors,
    parsing,
)

ATTACKS: dict[str, Attack] = {
    f"{category.name}: {attack.name}": attack
    for category in CATEGORIES
    for attack in category.attacks
}
"""By name of category and attack."""
