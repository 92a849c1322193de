"""Results that compare as equal, pass as numbers, or break whoever looks at them."""

from tests.attacks.attack import Category

objects = Category("objects")

# What `step` returns: observation, reward, terminated.
EQUAL = """
import numpy as np

class Equal:
    shape, dtype, ndim, size = (4,), np.dtype('float32'), 1, 4
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    __le__ = __gt__ = __ge__ = __lt__
    def __hash__(self): return 0
    def __bool__(self): return True
    def __len__(self): return 4
    def __iter__(self): return iter([self] * 4)
    def __getitem__(self, index): return self
    def __sub__(self, other): return 0.0
    __rsub__ = __sub__
    def __abs__(self): return 0.0
    def __array_ufunc__(self, *a, **k): return np.True_
    def __array_function__(self, *a, **k): return True
"""
ARRAY = """
import numpy as np

class Array(np.ndarray):
    def __eq__(self, other): return np.ones(4, dtype=bool)
    def __ne__(self, other): return np.zeros(4, dtype=bool)
    def __sub__(self, other): return np.zeros(4)
    __rsub__ = __sub__
    def __array_ufunc__(self, ufunc, method, *inputs, **rest):
        if ufunc in (np.equal, np.less_equal, np.less, np.isfinite, np.logical_and):
            return np.ones(4, dtype=bool)
        return np.zeros(4)
    def __array_function__(self, function, types, inputs, rest): return True
"""
FLOAT = """
class Float(float):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __sub__(self, other): return 0.0
    __rsub__ = __sub__
    def __abs__(self): return 0.0
    def __le__(self, other): return True
    __lt__ = __ge__ = __gt__ = __le__
    def __hash__(self): return 0
"""
RESULTS = {
    "always_equal": (EQUAL, "Equal(), Equal(), Equal()"),
    "list_of_always_equal": (EQUAL, "[Equal()] * 4, Equal(), Equal()"),
    "always_equal_class": (
        "class M(type):\n    def __eq__(c, o): return True\nclass E(metaclass=M): pass",
        "E, E, E",
    ),
    "array_subclass": (ARRAY, "np.zeros(4).view(Array), 0.0, True"),
    "float_subclass": (FLOAT, "[Float(9)] * 4, Float(9), Float(1)"),
    "numpy_float_subclass": (
        "import numpy as np\n" + FLOAT.replace("(float)", "(np.float64)"),
        "[Float(9)] * 4, Float(9), True",
    ),
    "not_a_number": ("n = float('nan')", "[n] * 4, n, False"),
    "array_of_nan": (
        "import numpy as np",
        "np.full(4, np.nan, dtype='f4'), np.nan, False",
    ),
    "infinity": ("i = float('inf')", "[i] * 4, i, False"),
    "nan_with_a_sign": (
        "import numpy as np\nn = -np.float32('nan')",
        "np.array([n] * 4), float(n), True",
    ),
    "nan_for_terminated": ("n = float('nan')", "[n] * 4, n, n"),
    "masked_array": (
        "import numpy as np",
        "np.ma.masked_all(4, dtype='f4'), np.ma.masked, np.ma.masked",
    ),
    "empty_array": ("import numpy as np", "np.array([]), 0.0, True"),
    "empty_list": ("", "[], [], []"),
    "empty_text": ("", "'', '', ''"),
    "empty_dictionary": ("", "{}, {}, {}"),
    "nothing": ("", "None, None, None"),
    "scalar_to_broadcast": ("", "0.0, 0.0, True"),
    "row_to_broadcast": (
        "import numpy as np",
        "np.zeros((1, 4), 'f4'), np.zeros((1,)), True",
    ),
    "column_to_broadcast": ("import numpy as np", "np.zeros((4, 1), 'f4'), 0.0, True"),
    "array_of_objects": (
        EQUAL,
        "np.array([Equal()] * 4, dtype=object), Equal(), Equal()",
    ),
    "array_of_text": ("import numpy as np", "np.array(['nan'] * 4), 'nan', 'True'"),
    "structured_array": (
        "import numpy as np",
        "np.zeros(1, dtype=[('a', 'f4', 4)]), 0.0, True",
    ),
    "complex_numbers": ("import numpy as np", "np.zeros(4, complex), 0j, True"),
    "dates": (
        "import numpy as np",
        "np.zeros(4, 'M8[s]'), np.datetime64(0, 's'), True",
    ),
    "long_floats": (
        "import numpy as np",
        "np.zeros(4, 'g') + 9, np.longdouble(9), True",
    ),
    "giant_integers": ("", "[10**400] * 4, 10**400, True"),
    "texts_of_numbers": ("", "['0'] * 4, '0', 'False'"),
    "truthy_object": (
        """
class T:
    def __bool__(self): return True
    def __float__(self): return 0.0
""",
        "[T()] * 4, T(), T()",
    ),
    "wandering_float": (
        """
class F:
    n = 0
    def __float__(self):
        F.n += 1
        return F.n * 1.0
    __index__ = None
""",
        "[F()] * 4, F(), False",
    ),
    "lying_class": (
        """
import numpy as np
class L:
    @property
    def __class__(self): return np.ndarray
    dtype, shape = np.dtype('f4'), (4,)
""",
        "L(), L(), L()",
    ),
    "lying_array": (
        """
import numpy as np
class L:
    def __array__(self, *a, **k): return np.full(4, np.nan)
""",
        "L(), 0.0, False",
    ),
    "memory_view": ("", "memoryview(bytes(16)).cast('f'), 0.0, False"),
    "generator": ("", "(x for x in [0.0] * 4), 0.0, False"),
    "too_deep": ("d = []\nfor _ in range(50_000): d = [d]", "d, 0.0, False"),
    "refers_to_itself": ("d = []\nd.append(d)", "d, d, d"),
    "dictionary_in_disguise": ("", "{'score': 1.0, 'passed': True}, 1.0, True"),
    "negative_strides": ("import numpy as np", "np.arange(9.0)[::-2][:4], 0.0, False"),
    "stretched_view": (
        "import numpy as np\nfrom numpy.lib.stride_tricks import as_strided",
        "as_strided(np.zeros(1, 'f4'), (4,), (4096,)), 0.0, False",
    ),
    "huge_broadcast": (
        "import numpy as np",
        "np.broadcast_to(np.float32(0), (1 << 40,)), 0.0, False",
    ),
    "wild_interface": (
        """
class W:
    __array_interface__ = dict(version=3, shape=(4,), typestr='<f4', data=(16, False))
""",
        "W(), 0.0, False",
    ),
}
for _name, (_head, _results) in RESULTS.items():
    objects.forgery(
        _name,
        f"""
{_head}
class Environment:
    def set_state(self, observation): pass
    def step(self, action): return {_results}
""",
        # One that reaches into memory that is not there dies of it.
        "completed crashed"
        if "wild" in _name or "stretched" in _name
        else "completed raised timed_out",
        errors=("TypeError", "RecursionError", "ContractViolation"),
    )
SHAPES = {
    "four_results": "[0.0] * 4, 0.0, True, {}",
    "one_result": "[0.0] * 4",
    "list_of_results": "[[0.0] * 4, 0.0, True]",
}
for _name, _results in SHAPES.items():
    objects.forgery(
        _name,
        f"""
class Environment:
    def set_state(self, observation): pass
    def step(self, action): return {_results}
""",
        "raised",
        errors=("ContractViolation",),
    )
objects.forgery(
    "environment_that_is_no_class",
    "class E:\n    def __call__(self): return self\nEnvironment = E()",
    "raised",
    errors=("ContractViolation",),
)
objects.forgery(
    "tuple_subclass",
    """
class T(tuple):
    n = 0
    def __len__(self): return 3
    def __iter__(self):
        T.n += 1
        return iter([[0.0] * 4, 0.0, True])
class Environment:
    def set_state(self, observation): pass
    def step(self, action): return T(())
""",
    "raised completed",
    errors=("ContractViolation", "ValueError", "IndexError"),
)
