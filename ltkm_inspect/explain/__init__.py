"""Rules and faults as Markdown, for `explain` and for the generated pages of the catalogue."""

from ltkm_inspect.explain.overview import by_subject, catalogue_pages, faults_by_subject
from ltkm_inspect.explain.pages import clause_text, fault_page, level_reason, names, own_page, page, rule_page
