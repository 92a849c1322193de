"""Episodes of text games, written down: short ones in the wording of each family."""

from cwm.providers.knowledge.records import Ending, Episode, Source, Step


def step(
    action: str, observation: str, *, is_legal: bool = True, score: float = 0.0
) -> Step:
    """Returns a step."""
    return Step(action=action, observation=observation, score=score, is_legal=is_legal)


def episode(
    *steps: Step,
    id: str = "e1",
    env: str = "cwm/Household-v0",
    task: str = "pick_heat_then_place",
    game: int = 1,
    instruction: str = "Your task is to: put a hot mug in coffeemachine.",
    observation: str = "You are in the middle of a room.",
    ending: Ending = "won",
    source: Source = "expert",
) -> Episode:
    """Returns an episode that was won, unless it is said otherwise."""
    return Episode(
        id=id,
        env=env,
        task=task,
        split="train",
        game=game,
        instruction=instruction,
        observation=observation,
        steps=steps,
        score=1.0 if ending == "won" else 0.0,
        ending=ending,
        source=source,
        made_by="somebody",
    )


ROOM = (
    "You are in the middle of a room. Looking quickly around you, you see a cabinet 1, "
    "a countertop 1, a coffeemachine 1, a drawer 1, and a microwave 1."
)

HOT_MUG = episode(
    step("go to drawer 1", "The drawer 1 is closed."),
    step("open drawer 1", "You open the drawer 1. In it, you see nothing."),
    step("go to countertop 1", "On the countertop 1, you see a mug 2, and a apple 1."),
    step("take mug 2 from countertop 1", "You pick up the mug 2."),
    step("go to microwave 1", "The microwave 1 is closed."),
    step("heat mug 2 with microwave 1", "You heat the mug 2 using the microwave 1."),
    step("go to coffeemachine 1", "On the coffeemachine 1, you see nothing."),
    step("put mug 2 in/on coffeemachine 1", "You put the mug 2.", score=1.0),
    observation=ROOM,
)
"""An expert of ALFWorld's kind."""

COLD_MUG = episode(
    step("go to countertop 1", "On the countertop 1, you see a mug 2, and a apple 1."),
    step("take mug 2", "Nothing happens.", is_legal=False),
    step("take mug 2 from countertop 1", "You pick up the mug 2."),
    step("go to coffeemachine 1", "On the coffeemachine 1, you see nothing."),
    step("put mug 2 in/on coffeemachine 1", "You put the mug 2."),
    step("go to countertop 1", "On the countertop 1, you see a apple 1."),
    step("go to coffeemachine 1", "On the coffeemachine 1, you see a mug 2."),
    step("examine mug 2", "There's nothing special about mug 2."),
    step("examine mug 2", "There's nothing special about mug 2."),
    id="r1",
    observation=ROOM,
    ending="out_of_steps",
    source="explored",
)
"""An explored one of the same game: the mug was never heated."""

KITCHEN = (
    "You are in the kitchen. In one part of the room you see a stove. You also see a "
    "fridge that is closed. In another part of the room you see a counter that has a "
    "cookbook on it. \nTo the North you see a closed plain door. "
)
RECIPE = (
    "Gather all following ingredients and follow the directions.\n\nIngredients:\n"
    "  white onion\n  olive oil\n\nDirections:\n  slice the white onion\n"
    "  prepare meal\n"
)
PANTRY = (
    "You are in the pantry. There is also a shelf that has a raw white onion, and a "
    "jar on it. \nThrough an open plain door, to the South you see the kitchen. "
)
COOKING = episode(
    step("read cookbook", RECIPE),
    step("open door to north", "You open the plain door, revealing the pantry. "),
    step("move north", PANTRY),
    step("take white onion", "You take the white onion."),
    step("move south", KITCHEN),
    step("slice white onion", "You slice the white onion."),
    step("prepare meal", "Adding the meal to your inventory."),
    step("eat meal", "You eat the meal.  It is delicious.", score=1.0),
    id="c1",
    env="cwm/CookingWorld-v0",
    task="cookingworld",
    instruction="You are hungry! Check the cookbook in the kitchen.",
    observation=KITCHEN,
)
"""An expert of TextWorldExpress."""

AMBIGUOUS = (
    "Ambiguous request: Please enter the number for the action you intended "
    "(or blank to cancel):\n0:\tpick up pot (in cupboard)\n1:\tpick up lid (on stove)\n"
)
BOILING = episode(
    step("teleport to kitchen", "You teleport to the kitchen."),
    step("look around", "This room is called the kitchen. In it, you see: \n\ta pot"),
    step("pick up", AMBIGUOUS),
    step("0", "You move the pot to the inventory."),
    step("pour pot into pot", "You can't move something into itself."),
    step("focus on water in pot", "You focus on the water."),
    step("move pot to stove", "You move the pot to the stove."),
    step("activate stove", "The stove is now activated.", score=1.0),
    id="s1",
    env="cwm/ScienceWorld-v0",
    task="boil",
    instruction="Your task is to boil water. First, focus on the substance.",
    observation="This room is called the hallway. In it, you see: \n\tthe agent",
)
"""An expert of ScienceWorld."""

ROASTING = episode(
    step(
        "go west",
        "-= Kitchen =-\nYou are in a kitchen. On the table you see a cookbook.",
    ),
    step("examine cookbook", RECIPE.replace("white onion", "red potato")),
    step("take red potato from counter", "You take the red potato from the counter."),
    step("go north", "You have to open the frosted-glass door first."),
    step("cook red potato with oven", "You roasted the red potato."),
    step("prepare meal", "Adding the meal to your inventory."),
    step("eat meal", "You eat the meal. Not bad.\n\n*** The End ***", score=1.0),
    id="t1",
    env="cwm/TextWorld-v0",
    task="cooking",
    instruction="You are hungry! Check the cookbook in the kitchen.",
    observation=(
        "You are hungry! Check the cookbook in the kitchen.\n\n"
        "-= Livingroom =-\nYou are in the livingroom. There is an exit to the west."
    ),
)
"""An expert of TextWorld."""
