"""Shapes and what can be measured on them."""


class Box:
    """A box with three sides."""

    def __init__(self, width, height, depth):
        self.width = width
        self.height = height
        self.depth = depth

    def volume(self):
        return self.width * self.height * self.depth

    def __repr__(self):
        return f"Box({self.width}, {self.height}, {self.depth})"


class Plate:
    """A plate with two sides."""

    def __init__(self, width, height):
        self.width = width

    def area(self):
        return self.width * self.height


class Wall:
    """A wall with three sides."""

    def __init__(self, width, height, depth):
        self.width = width
