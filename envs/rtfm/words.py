"""The names that boards, inventories and manuals are made of."""

MONSTERS = (
    *("bandit", "demon", "dragon", "goblin", "jinn"),
    *("mage", "medusa", "spider", "wolf"),
)

ITEMS = ("axe", "bow", "daggers", "hammer", "polearm", "shield", "staff", "sword")

MODIFIERS = (
    *("arcane", "blessed", "fanatical", "gleaming"),
    *("grandmasters", "mysterious", "shimmering", "soldiers"),
)

ELEMENTS = ("cold", "fire", "lightning", "poison")

GROUPS = ("order of the forest", "rebel enclave", "star alliance")

EMPTY = "empty"
"""Fills the places of a cell, and the inventory, where nothing is."""

WALL = "wall"

AGENT = "you"
