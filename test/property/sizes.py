"""Sizes of axes: polynomials with integer coefficients in the dimensions of an entry point."""


class Size:
    """{("B", "T"): 2, (): 1} is 2 * B * T + 1."""

    def __init__(self, terms):
        self.terms = {key: value for key, value in terms.items() if value}

    @staticmethod
    def of(value):
        if isinstance(value, Size):
            return value
        return Size({(): value} if isinstance(value, int) else {(value,): 1})

    def __add__(self, other):
        terms = dict(self.terms)
        for key, value in Size.of(other).terms.items():
            terms[key] = terms.get(key, 0) + value
        return Size(terms)

    def __sub__(self, other):
        return self + Size.of(other) * -1

    def __mul__(self, other):
        terms = {}
        for a, x in self.terms.items():
            for b, y in Size.of(other).terms.items():
                key = tuple(sorted(a + b))
                terms[key] = terms.get(key, 0) + x * y
        return Size(terms)

    def divided(self, by):
        """The exact quotient, or None."""
        if all(value % by == 0 for value in self.terms.values()):
            return Size({key: value // by for key, value in self.terms.items()})
        return None

    def __eq__(self, other):
        return self.terms == Size.of(other).terms

    def __hash__(self):
        return hash(frozenset(self.terms.items()))

    @property
    def constant(self):
        """The value, or None if a dimension is in it."""
        return None if any(self.terms.keys() - {()}) else self.terms.get((), 0)

    def at(self, sizes):
        total = 0
        for key, value in self.terms.items():
            for name in key:
                value *= sizes[name]
            total += value
        return total

    def __str__(self):
        parts = []
        for key, value in sorted(self.terms.items(), key=lambda term: (-len(term[0]), term[0])):
            factors = list(key) if value == 1 and key else [str(value), *key]
            parts.append(" * ".join(factors))
        return " + ".join(parts) or "0"
