"""A program: one entry point of random statements, as text and as numpy."""
import numpy as np

from operations import KINDS
from sizes import Size
from values import NUMPY, Value, shape_of

#: The sizes at which programs run; a statement whose values get out of hand at one of them is not kept.
SIZES = [{"B": 3, "T": 5}, {"B": 1, "T": 4}, {"B": 4, "T": 1}]
RANGES = {"B": "1..=5", "T": "1..=6"}
MAX_ELEMENTS = 6000
MAX_MAGNITUDE = 60.0


class Program:
    def __init__(self, rng, name, statements):
        self.name = name
        self.rng = rng
        self.dims = ["B", "T"]
        self.pool = []  # all values, in order
        self.members = {}  # lines of the model by name
        self.member_weights = {}  # names of weights by member
        self.weights = {}
        self.functions = {}
        self.counter = 0
        self.arrays = [{} for _ in SIZES]  # by name, at each of SIZES
        self.add_inputs()
        for _ in range(statements * 3):
            if len(self.pool) - self.inputs >= statements:
                break
            rng.choice(KINDS)(self, rng)
        self.outputs = self.choose_outputs()

    # --- what operations use -----------------------------------------------------------------------------------------

    def fresh(self):
        self.counter += 1
        return f"v{self.counter}"

    def shuffled(self, rng):
        return rng.sample(self.pool, len(self.pool))

    def pick(self, rng, element="float", rank=None, shape=None, least=0, most=5, exact=False, last_constant=False, image=False, any_element=False):
        """A value that fits, late ones more often; None if none does."""
        fits = [v for v in self.pool
                if (any_element or v.element == element) and least <= v.rank <= most and (rank is None or v.rank == rank)
                and (shape is None or v.shape == shape) and (not exact or v.exact)
                and (not last_constant or v.rank > 0 and v.shape[-1].constant)
                and (not image or all(s.constant for s in v.shape[1:]))]
        if not fits:
            return None
        return rng.choice(fits[-6:] if rng.random() < 0.6 else fits)

    def weight(self, rng, shape, key, made=None):
        """A member: a `param`, or what `made` says. Returns its name and the first of its arrays."""
        name = f"{self.name}{self.fresh()}"
        self.members[name] = f"{name} = {made}" if made else f"param {name}: float[{', '.join(map(str, shape))}]"
        self.member_weights[name] = []
        return name, self.more_weight(rng, key.format(name), shape)

    def state(self, type_text, start):
        """A member that the entry point writes; its name."""
        name = f"{self.name}{self.fresh()}"
        self.members[name] = f"state {name}: {type_text} = {start}"
        self.member_weights[name] = []
        return name

    def more_weight(self, rng, key, shape):
        self.member_weights[key.split(".")[0]].append(key)
        numbers = np.random.RandomState(rng.randrange(2**31))
        scale = 1 / np.sqrt(np.prod(shape[1:])) if len(shape) > 1 else 0.5
        self.weights[key] = (numbers.standard_normal(shape) * scale).astype(np.float32)
        return self.weights[key].astype(np.float64)

    def declare(self, name, text):
        self.functions[name] = text

    def add(self, text, element, shape, uses, meaning, exact=False, sized=False, whole=None, declares=()):
        """Evaluates the statement at all sizes; keeps it if its values are good ones. `whole` names what a statement of
        several lines binds; `sized` meanings get the sizes too."""
        value = Value(whole or self.fresh(), element, tuple(shape), text, tuple(uses), meaning, exact)
        arrays = []
        for sizes, known in zip(SIZES, self.arrays):
            with np.errstate(all="ignore"):
                array = np.asarray(meaning(*[known[u.name] for u in uses], *([sizes] if sized else [])))
            array = array.astype(NUMPY[element])
            assert array.shape == value.sizes_at(sizes), (text, array.shape, value.type_text())
            if array.size > MAX_ELEMENTS or array.size == 0 or not np.all(np.isfinite(array)) or np.abs(array).max() > MAX_MAGNITUDE:
                return None
            arrays.append(array)
        for known, array in zip(self.arrays, arrays):
            known[value.name] = array
        value.whole = whole is not None
        value.declares = tuple(declares)
        value.annotated = self.rng.random() < 0.4 and not value.whole
        self.pool.append(value)
        return value

    # --- inputs and outputs ------------------------------------------------------------------------------------------

    def add_inputs(self):
        shapes = self.rng.sample([("B", 4), ("B", "T"), ("B", "T", 6), ("B", 2, 6, 6), (5,), ("T", 3), ("B", 1, 8, 5), (3, 4), ()], 3)
        for shape in shapes:
            self.add_input("float", shape)
        if self.rng.random() < 0.6:
            self.add_input("i32", self.rng.choice([("B", "T"), ("B",), (4,)]))
        self.inputs = len(self.pool)
        self.dims = [d for d in self.dims if any(Size.of(d) in v.shape for v in self.pool)]

    def add_input(self, element, shape):
        value = Value(f"x{len(self.pool)}", element, shape_of(*shape), exact=True)
        for sizes, known in zip(SIZES, self.arrays):
            numbers = np.random.RandomState(self.rng.randrange(2**31))
            size = value.sizes_at(sizes)
            array = numbers.randint(-9, 10, size) if element == "i32" else numbers.standard_normal(size).astype(np.float32)
            known[value.name] = np.asarray(array).astype(NUMPY[element])
        self.pool.append(value)

    def choose_outputs(self):
        made = self.pool[self.inputs:]
        last = [v for v in made if not any(v in u.uses for u in made)]
        return last[-3:] or made[-1:]

    # --- text ----------------------------------------------------------------------------------------------------------

    def needed(self, outputs):
        """The values that outputs depend on, in order."""
        wanted, stack = set(), list(outputs)
        while stack:
            value = stack.pop()
            if value not in wanted:
                wanted.add(value)
                stack.extend(value.uses)
        return [v for v in self.pool if v in wanted]

    def members_of(self, outputs):
        lines = " ".join(v.text for v in self.needed(outputs))
        return [name for name in self.members if name in lines]

    def entry_text(self, outputs):
        inputs = ", ".join(f"{v.name}: {v.type_text()}" for v in self.pool[:self.inputs])
        results = ", ".join(f"{self.name}_{v.name}: {v.type_text()}" for v in outputs)
        guards = ", ".join(f"{name} in {RANGES[name]}" for name in self.dims)
        head = f"    -> ({results})"
        lines = [f"  fn {self.name}({inputs})", *([head, f"  requires {guards} {{"] if guards else [head + " {"])]
        for value in self.needed(outputs):
            if value.text:
                annotation = f": {value.type_text()}" if value.annotated else ""
                lines.append("    " + (value.text if value.whole else f"{value.name}{annotation} = {value.text}"))
        return "\n".join([*lines, f"    return {', '.join(v.name for v in outputs)}", "  }"])

    def declarations_of(self, outputs):
        return [name for v in self.needed(outputs) if v.text for name in v.declares]


def model_text(programs):
    """`programs` are pairs of a program and the outputs that are wanted of it."""
    functions = [program.functions[name] for program, outputs in programs for name in program.declarations_of(outputs)]
    members = ["  " + program.members[name] for program, outputs in programs for name in program.members_of(outputs)]
    entries = [program.entry_text(outputs) for program, outputs in programs]
    return "\n".join([*functions, "model Random {", *members, *entries, "}", ""])


def model_weights(programs):
    return {key: program.weights[key] for program, outputs in programs
            for name in program.members_of(outputs) for key in program.member_weights[name]}
