"""Names of levels, and the ids of our environments; needs no minigrid."""

PREFIX = "BabyAI-"

_VARIANTS: dict[str, str] = {
    "": "ActionObjDoor BlockedUnlockPickup KeyInBox MiniBossLevel UnblockPickup "
    "UnlockToUnlock",
    "BossLevel": "- NoUnlock",
    "FindObj": "S5 S6 S7",
    "GoTo": "- Door ImpUnlock Open RedBall RedBallGrey RedBallNoDists RedBlueBall",
    "GoToLocal": "- S5N2 S6N2 S6N3 S6N4 S7N4 S7N5 S8N2 S8N3 S8N4 S8N5 S8N6 S8N7",
    "GoToObj": "- Door Maze MazeOpen MazeS4 MazeS4R2 MazeS5 MazeS6 MazeS7 S4 S6",
    "GoToSeq": "- S5R2",
    "KeyCorridor": "- S3R1 S3R2 S3R3 S4R3 S5R3 S6R3",
    "MoveTwoAcross": "S5N2 S8N9",
    "OneRoom": "S8 S12 S16 S20",
    "Open": "- Door DoorColor DoorDebug DoorLoc DoorsOrderN2 DoorsOrderN2Debug "
    "DoorsOrderN4 DoorsOrderN4Debug RedBlueDoors RedBlueDoorsDebug RedDoor TwoDoors",
    "Pickup": "- Above Dist DistDebug Loc",
    "PutNextLocal": "- S5N3 S6N4",
    "PutNext": "S4N1 S5N1 S5N2 S5N2Carrying S6N3 S6N3Carrying S7N4 S7N4Carrying",
    "Synth": "- Loc S5R2 Seq",
    "Unlock": "- Local LocalDist Pickup PickupDist",
}

SECOND_VERSIONS = ("GoToObjS6",)
"""Levels whose id in minigrid ends in `-v1`."""

OF_MINIGRID: tuple[str, ...] = tuple(
    sorted(
        family + variant.removeprefix("-")
        for family, variants in _VARIANTS.items()
        for variant in variants.split()
    )
)
"""The levels of minigrid 3."""

KINDS: tuple[str, ...] = ("goto", "pickup", "open", "putnext", "sequence")
"""What a mission of the mixed levels can be."""

MIXED: tuple[str, ...] = ("MixedTrainLocal", "MixedTestLocal")
"""Levels with several kinds of missions."""

SEQUENCES: tuple[str, ...] = (
    "PickUpSeqPickUpLocal",
    "PickUpSeqGoToLocal",
    "PickUpThenGoToLocal",
    "GoToAfterPickUpLocal",
)
"""Levels with missions of two parts."""

OF_BABYAI_TEXT: tuple[str, ...] = (*MIXED, *SEQUENCES)
"""The levels that BabyAI-Text added to BabyAI."""

NAMED_BY_PLACE: tuple[str, ...] = (
    *("BossLevel", "BossLevelNoUnlock", "MiniBossLevel", "OpenDoor", "OpenDoorDebug"),
    *("OpenDoorLoc", "PickupLoc", "SynthLoc", "SynthSeq"),
)
"""Levels whose missions may name objects by where they were at the start."""

UNOBSERVABLE: tuple[str, ...] = (
    *NAMED_BY_PLACE,
    # Missions of up to four parts.
    *("GoToSeq", "GoToSeqS5R2"),
    # Something is in a box.
    "KeyInBox",
)
"""Levels that `envs.babyai.state` has no numbers for."""


def level_name(level: str) -> str:
    """Returns the name of a level, given that or its id in minigrid."""
    return level.removeprefix(PREFIX).partition("-v")[0]


def minigrid_id(name: str) -> str:
    """Returns a level's id in minigrid."""
    return f"{PREFIX}{name}-v{int(name in SECOND_VERSIONS)}"
