"""What a statement makes: a named tensor with its type, and what it means in numpy."""
import dataclasses
import typing

import numpy as np

from sizes import Size


@dataclasses.dataclass(eq=False)
class Value:
    name: str
    element: str  # "float", "i32", "bool"
    shape: tuple  # of Size
    text: str = ""  # the right side of `name = ...`, or the declaration of an input
    uses: tuple = ()  # the values that the text names
    meaning: typing.Callable = None  # from the arrays of `uses` to the array
    exact: bool = False  # whether every implementation gives the same bits
    members: tuple = ()  # lines of the model that the text needs
    weights: dict = dataclasses.field(default_factory=dict)  # their arrays by key

    @property
    def rank(self):
        return len(self.shape)

    def type_text(self):
        return f"{self.element}[{', '.join(map(str, self.shape))}]"

    def sizes_at(self, sizes):
        return tuple(size.at(sizes) for size in self.shape)


def shape_of(*sizes):
    return tuple(Size.of(size) for size in sizes)


NUMPY = {"float": np.float64, "i32": np.int32, "bool": np.bool_}
