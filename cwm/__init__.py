"""Code World Models: search for Python programs that simulate an environment.

Import from the submodules (`cwm.core`, `cwm.programs`, `cwm.synthesis`, ...);
this module stays empty so that `python -m cwm.<name>` starts fast.
"""

__version__ = "0.1.0"
