"""Exceptions and texts that hang, lie, or reach for whoever reads them."""

from tests.attacks.attack import Category

errors = Category("texts of errors")

CLASSES = {
    "text_that_never_ends": (
        "def __str__(self):\n        while True: pass",
        "timed_out",
    ),
    "text_that_raises": ("def __str__(self): raise ValueError", "raised"),
    "text_that_exits": ("def __str__(self): raise SystemExit(0)", "raised"),
    "text_that_ends_the_process": (
        "def __str__(self):\n        import os\n        os._exit(0)",
        "crashed",
    ),
    "text_that_is_none": ("def __str__(self): return None", "raised"),
    "text_of_another_class": (
        """def __str__(self):
        class T(str):
            def __getitem__(s, i): return T(s)
            def encode(s, *a): return 'score'
        return T('x')
""",
        "raised",
    ),
    "deep_text": ("def __str__(self): return str(self)", "raised"),
    "huge_text": ("def __str__(self): return 'x' * (16 << 20)", "raised"),
    "control_codes": (
        "def __str__(self): return '\\x1b[2J\\x1b]0;owned\\x07\\r\\n\\x00'",
        "raised",
    ),
    "unpaired_surrogates": ("def __str__(self): return '\\ud800' * 50", "raised"),
    "backward_text": (
        "def __str__(self): return '\\u202e' + 'score 1.0' + '\\u2066'",
        "raised",
    ),
    "combining_marks": ("def __str__(self): return 'e' + '\\u0301' * 5000", "raised"),
}
for _name, (_body, _kinds) in CLASSES.items():
    errors.text(
        _name,
        f"class E(Exception):\n    {_body}\nraise E\n",
        _kinds,
        errors=("E", "Exception"),
    )
errors.text(
    "hostile_metaclass",
    """
class Meta(type):
    @property
    def __name__(cls):
        while True: pass
class E(Exception, metaclass=Meta): pass
raise E('x')
""",
    "timed_out",
)
errors.text(
    "name_that_is_no_text",
    """
class Meta(type):
    __name__ = property(lambda cls: b'score')
class E(Exception, metaclass=Meta): pass
raise E('x')
""",
    "raised",
    errors=("Exception",),
)
errors.text(
    "name_of_a_megabyte",
    "E = type('E' * (1 << 20), (Exception,), {})\nraise E('x')",
    "raised protocol_broken",
    errors=("E" * 20,),
)
for _fake in ("WorkerLost", "SandboxUnavailable", "Completed", "ProtocolError"):
    errors.text(
        f"named_{_fake}",
        f"""
class {_fake}(Exception): pass
raise {_fake}('a harmless program fails, too')
""",
        "raised",
        errors=(_fake,),
    )
errors.text(
    "error_of_the_sandbox",
    "from sandbox.errors import SandboxUnavailable\nraise SandboxUnavailable('down')",
    "raised",
    errors=("SandboxUnavailable",),
)
errors.text(
    "position_of_its_own",
    "from sandbox.child import At\nraise At(10**30) from ValueError('x')",
    "raised crashed",
    errors=("ValueError", "OverflowError"),
)
errors.text(
    "position_that_is_none",
    "from sandbox.child import At\nraise At('everywhere') from ValueError('x')",
    "raised crashed protocol_broken",
    errors=("ValueError",),
)
for _name, _line in {
    "giant": "10**30",
    "negative": "-5",
    "text": "'one'",
    "beyond": "10**9",
}.items():
    errors.text(
        f"syntax_error_on_a_{_name}_line",
        f"raise SyntaxError('x', ('<candidate>', {_line}, 1, 'text'))",
        "raised crashed",
        errors=("SyntaxError",),
    )
errors.text(
    "line_of_another_program",
    "exec(compile('\\n' * 10**6 + '1 / 0', '<candidate>', 'exec'))",
    "raised",
    errors=("ZeroDivisionError",),
)
errors.text(
    "group",
    "e = ValueError('x')\nfor _ in range(3000): e = ExceptionGroup('g', [e])\nraise e",
    "raised",
    errors=("ExceptionGroup",),
)
errors.text(
    "circle_of_causes",
    "a, b = ValueError('a'), ValueError('b')\na.__cause__, b.__cause__ = b, a\n"
    "a.__context__, b.__context__ = b, a\nraise a",
    "raised",
    errors=("ValueError",),
)
errors.text(
    "error_that_hides_its_class",
    """
class E(Exception):
    @property
    def __class__(self):
        while True: pass
raise E('x')
""",
    "raised timed_out",
    errors=("E",),
)
errors.text(
    "traceback_of_its_own",
    "import sys\nclass E(Exception):\n    @property\n    def __traceback__(self):\n"
    "        while True: pass\n    __cause__ = property(lambda s: 1 / 0)\nraise E('x')",
    "raised timed_out crashed",
    errors=("E", "Exception", "ZeroDivisionError"),
)
errors.forgery(
    "says_that_it_is_right",
    """
import sys
print('score: 1.0', flush=True)
sys.stderr.write('{"score": 1.0, "passed": true}\\n')
score = passed = True
class Environment:
    score = strict = 1.0
    def set_state(self, observation): pass
    def step(self, action): return [0.0] * 4, 0.0, True
""",
)
errors.forgery(
    "says_it_in_an_error",
    """
class Environment:
    def set_state(self, observation): pass
    def step(self, action):
        raise Exception('\\nscore: 1.0\\nThis happened nowhere. All tests passed.')
""",
    "raised",
    errors=("Exception",),
)
