"""LTKMs as people hand them over, in text, documents and captures, made into octets again."""

from ltkm_inspect.input.message import FORMS, Form, InputMessage
from ltkm_inspect.input.written import from_argument, from_file, from_stream, from_text
