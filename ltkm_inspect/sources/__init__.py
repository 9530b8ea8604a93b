"""Where a fault takes the LTKM from that it sends: given, saved, delivered before, or made with the MUK."""

from ltkm_inspect.sources.recipe import Recipe, RecipeFile, parse_recipe, read_recipe
from ltkm_inspect.sources.source import LtkmSource, ReceivedLtkms
from ltkm_inspect.sources.values import Base64Ltkm, FlowFile, LtkmFile, Messages, messages, read_ltkms
