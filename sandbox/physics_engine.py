"""MuJoCo, the physics engine, as a library for candidates: what is refused, warming up.

Covers: models that a candidate builds from text of its own. Does not cover: files,
plugins, drawing, threads. The policy refuses their names; what holds is that nothing
can be opened, mapped or started in a child.
"""

import importlib

PACKAGE = "mujoco"

ENVIRONMENT = (("MUJOCO_GL", "disabled"),)
"""Without it the package looks for displays and starts processes to do so."""

_FILES = frozenset(
    {
        "from_binary_path",
        "from_file",
        "from_xml_path",
        "from_zip",
        "mj_printData",
        "mj_printFormattedData",
        "mj_printFormattedModel",
        "mj_printFormattedScene",
        "mj_printModel",
        "mj_printScene",
        "mj_printSchema",
        "mj_saveLastXML",
        "mj_saveModel",
        "mju_getXMLDependencies",
        "mju_writeLog",
        "to_file",
        "to_zip",
    }
)

_FOREIGN_CODE = frozenset(
    {
        "_load_all_bundled_plugins",
        "activate_plugin",
        "mj_loadAllPluginLibraries",
        "mj_loadPluginLibrary",
        "set_mju_user_free",
        "set_mju_user_malloc",
        "set_mju_user_warning",
    }
)

_RAW_MEMORY = frozenset({"_address", "_from_model_ptr", "_pybind11_conduit_v1_"})

_THREADS = frozenset({"mju_threadpool", "rollout"})

_DRAWING = frozenset(
    {
        "GLContext",
        "MjrContext",
        "MjvScene",
        "Renderer",
        "cgl",
        "egl",
        "gl_context",
        "glfw",
        "osmesa",
        "renderer",
        "rendering",
        "studio",
        "usd",
        "viewer",
    }
)

_OTHER_MODULES = frozenset({"os", "platform", "zipfile"})

DENIED_ATTRIBUTES = (
    _FILES | _FOREIGN_CODE | _RAW_MEMORY | _THREADS | _DRAWING | _OTHER_MODULES
)

_MODEL = """
<mujoco>
  <option integrator="RK4"/>
  <worldbody>
    <geom type="plane" size="1 1 1"/>
    <body pos="0 0 0.1">
      <freejoint/>
      <geom size="0.11"/>
      <body pos="0.1 0 0">
        <joint name="elbow" axis="0 1 0" limited="true" range="-1 1"/>
        <geom size="0.05" pos="0.1 0 0"/>
      </body>
    </body>
  </worldbody>
  <actuator><motor joint="elbow"/></actuator>
</mujoco>
"""


def warm_up() -> None:
    """Builds a model and makes a few steps, with a contact and a joint's stop.

    Children then share the pages that this touches with the worker.
    """
    engine = importlib.import_module(PACKAGE)
    model = engine.MjModel.from_xml_string(_MODEL)
    data = engine.MjData(model)
    for _ in range(5):
        engine.mj_resetData(model, data)
        data.qpos[-1] = 1.01
        engine.mj_step(model, data, 2)
