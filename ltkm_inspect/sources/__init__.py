"""Sources of the LTKM that a fault sends: typed, from a file, delivered before, or built with the MUK."""

from ltkm_inspect.sources.recipe import Recipe, RecipeFile, parse_recipe, read_recipe
from ltkm_inspect.sources.source import LtkmSource, ReceivedLtkms
from ltkm_inspect.sources.values import Base64Ltkm, FlowFile, LtkmFile, Messages, messages, read_ltkms
