"""Studies with people, who judge outputs without knowing whose they are: what tools for annotation show, and give back."""

from collections.abc import Mapping

from pipelines.studies import argilla, label_studio
from pipelines.studies.study import Study

STUDIES: Mapping[str, Study] = {
    "argilla": Study(argilla.export, argilla.read),
    "label_studio": Study(label_studio.export, label_studio.read),
}
