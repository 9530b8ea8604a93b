"""Finds LTKMs in what people paste: text, documents and captures."""

from ltkm_inspect.input.message import FORMS, Form, InputMessage
from ltkm_inspect.input.written import from_argument, from_file, from_stream, from_text
