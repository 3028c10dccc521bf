"""Review of what a filter set aside: tasks out to annotators, decisions back, and pairs put back or confirmed by them."""

from collections.abc import Mapping

from pipelines.reviewing import argilla, label_studio
from pipelines.reviewing.forms import Form

FORMS: Mapping[str, Form] = {
    "argilla": Form("responses", argilla.write, argilla.parts, argilla.answer),
    "label_studio": Form("annotations", label_studio.write, label_studio.parts, label_studio.answer),
}
