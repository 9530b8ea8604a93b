"""Where a fault takes the LTKM from that it sends: given, saved, delivered before, or made with the MUK."""

from ltkm_inspect.sources.given import Base64, FlowFile, LtkmFile, Messages, messages, read_ltkms
from ltkm_inspect.sources.recipe import Recipe, RecipeFile, parse_recipe, read_recipe
from ltkm_inspect.sources.source import Past, Source

__all__ = [
    "Base64",
    "FlowFile",
    "LtkmFile",
    "Messages",
    "Past",
    "Recipe",
    "RecipeFile",
    "Source",
    "messages",
    "parse_recipe",
    "read_ltkms",
    "read_recipe",
]
