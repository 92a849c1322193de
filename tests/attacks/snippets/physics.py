"""The physics engine as a way out: files, libraries, threads, memory, wild pointers.

For a sandbox with the capability `physics`; elsewhere there is no engine to import.
"""

from tests.attacks.attack import DENIED, Attack, Category

physics = Category("physics engine")

_HEAD = """
import mujoco

PENDULUM = '''
<mujoco>
  <worldbody>
    <body><joint name="hinge" axis="0 1 0"/><geom size="0.1" pos="0 0 -1"/></body>
  </worldbody>
  <actuator><motor joint="hinge"/></actuator>
</mujoco>
'''

def build(text=PENDULUM):
    return mujoco.MjModel.from_xml_string(text)

def within(element):
    return '<mujoco>' + element.replace('FILE', SECRET_FILE) + '</mujoco>'

def reach(call, *arguments):
    # A file that can be opened is refused for what is in it, and in other words.
    try:
        call(*arguments)
    except ValueError as error:
        if 'rror opening' in str(error) or 'ould not open' in str(error):
            raise PermissionError
        return 'opened it: ' + str(error)
    return 'read it'
"""


def _body(name: str, text: str, kinds: str = "raised", **rest: object) -> None:
    lines = "".join(f"    {line}\n" for line in text.strip("\n").split("\n"))
    physics.action(name, f"{_HEAD}\ndef attack():\n{lines}", kinds, **rest)  # type: ignore[arg-type]


_READS = {
    "included": '<include file="FILE"/>',
    "mesh": '<asset><mesh name="a" file="FILE" content_type="model/obj"/></asset>',
    "texture": (
        '<asset><texture name="a" type="2d" file="FILE" content_type="image/png"/>'
        "</asset>"
    ),
    "height_field": (
        '<asset><hfield name="a" size="1 1 1 1" file="FILE" content_type="image/png"/>'
        "</asset>"
    ),
}
for _name, _element in _READS.items():
    _body(f"{_name}_file", f"return reach(build, within({_element!r}))")
for _name, _call in {
    "model": "MjModel.from_xml_path",
    "specification": "MjSpec.from_file",
}.items():
    _body(
        f"{_name}_of_gymnasium",
        f"""
import os
folder = os.path.dirname(os.path.dirname(mujoco.__file__))
path = folder + '/gymnasium/envs/mujoco/assets/inverted_pendulum.xml'
return reach(mujoco.{_call}, path)
""",
    )
_body("gymnasium", "import gymnasium\nreturn gymnasium.make('CartPole-v1').spec.id")
_body("module_from_disk", "import mujoco.rollout\nreturn 'imported it'")

# What cannot be written is left out without a word by some, refused by others.
_WRITES = {
    "model": "mujoco.mj_saveModel(build(), DROP + '/x')",
    "printed_model": "mujoco.mj_printModel(build(), DROP + '/x')",
    "printed_data": (
        "model = build()\nmujoco.mj_printData(model, mujoco.MjData(model), DROP + '/x')"
    ),
    "last_text": "mujoco.mj_saveLastXML(DROP + '/x', build())",
    "specification": (
        "text = mujoco.MjSpec.from_string(PENDULUM)\n"
        "text.compile()\n"
        "text.to_file(DROP + '/x')"
    ),
    "archive": "mujoco.MjSpec.from_string(PENDULUM).to_zip(DROP + '/x')",
}
for _name, _text in _WRITES.items():
    _body(
        f"writes_{_name}",
        _text,
        "raised completed",
        errors=(*DENIED, "FatalError", "ValueError"),
    )

_body(
    "library",
    "mujoco.mj_loadPluginLibrary('libanl.so.1')\nreturn 'loaded a library'",
    errors=("FatalError",),
)
_body(
    "threads",
    "mujoco.mju_threadpool(mujoco.MjData(build()), 4)\nreturn 'started threads'",
    errors=("RuntimeError",),
)

_HUGE = {
    "arena": "<size memory='64G'/>",
    "user_data": "<size nuserdata='2000000000'/>",
    "keyframes": "<size nkey='2000000000'/>",
    "height_field": (
        "<asset><hfield name='a' nrow='30000' ncol='30000' size='1 1 1 1'/></asset>"
    ),
    "texture": (
        "<asset><texture name='a' type='2d' builtin='flat' width='60000' "
        "height='60000'/></asset>"
    ),
}
for _name, _element in _HUGE.items():
    _body(
        f"huge_{_name}",
        f"model = build(within({_element!r}))\nmujoco.MjData(model)\nreturn 'has it'",
        "raised memory_exceeded timed_out",
        # The engine's own words for "no memory".
        errors=("ValueError", "FatalError", "RuntimeError"),
        needs_filter=True,
    )
_body(
    "many_models",
    """
kept = []
while len(kept) < 10_000:
    kept.append(mujoco.MjData(build(within("<size memory='1M'/>"))))
return len(kept)
""",
    "raised memory_exceeded timed_out",
    errors=("ValueError", "FatalError", "RuntimeError"),
    needs_filter=True,
)
_body(
    "endless_copies",
    """
body = '<body><freejoint/><geom size="1"/></body>'
build(within('<worldbody><replicate count="10000000">' + body + '</replicate>'
             '</worldbody>'))
return 'built it'
""",
    "timed_out memory_exceeded raised",
    errors=("ValueError", "FatalError", "RuntimeError"),
    needs_filter=True,
)
_body(
    "endless_steps",
    "model = build()\nmujoco.mj_step(model, mujoco.MjData(model), 10**9)\nreturn 1",
    "timed_out",
    needs_filter=True,
)
_body(
    "deep_bodies",
    """
body = '<body><joint/><geom size="1"/>'
build(within('<worldbody>' + 100_000 * body + 100_000 * '</body>' + '</worldbody>'))
return 'built it'
""",
    errors=("ValueError",),
)
_body("pointer", "return mujoco.MjModel._from_model_ptr(12345).nq", "crashed")
_body(
    "wild_index",
    """
model = build()
model.jnt_qposadr[:] = 2**30
mujoco.mj_step(model, mujoco.MjData(model))
""",
    "crashed",
)
_body(
    "callback_that_raises",
    """
def control(model, data):
    raise RuntimeError('from inside the engine')
model = build()
mujoco.set_mjcb_control(control)
mujoco.mj_step(model, mujoco.MjData(model))
""",
    errors=("RuntimeError",),
)
_LATER = """
def attack():
    import mujoco
    if mujoco.get_mjcb_control() is not None or mujoco.mj_getCacheSize(
        mujoco.mj_getCache()
    ):
        return 'found what another candidate left'
"""
_body(
    "left_for_the_next",
    """
png = bytes.fromhex(
    '89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de'
    '0000000c49444154789c63606060000000040001f61738550000000049454e44ae426082'
)
texture = '<asset><texture name="a" type="2d" file="a.png"/></asset>'
mujoco.MjModel.from_xml_string(within(texture), {'a.png': png})
mujoco.set_mjcb_control(lambda model, data: None)
""",
    "completed",
    then=_LATER,
)
physics.forgery(
    "lost_in_infinity",
    _HEAD
    + """
import numpy as np

MODEL = build()

class Environment:
    def __init__(self):
        self.data = mujoco.MjData(MODEL)

    def set_state(self, observation):
        self.data.qpos[:] = np.nan
        self.data.qvel[:] = 1e300

    def step(self, action):
        mujoco.mj_step(MODEL, self.data, 3)
        values = [self.data.qpos[0], self.data.qvel[0], np.nan, np.inf]
        return np.array(values, dtype=np.float32), float(self.data.qpos[0]), False
""",
)

PHYSICS_ATTACKS: dict[str, Attack] = {
    f"{physics.name}: {attack.name}": attack for attack in physics.attacks
}
"""By name of category and attack."""
