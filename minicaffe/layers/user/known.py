"""Python modules that nets name and hardly anybody has: the layers that compute what they do."""

from __future__ import annotations

import importlib
import importlib.util

from ...core.layer import Layer
from .module import beside

# Module and class, as nets name them -> module in minicaffe/layers with a class of that name.
MODULES = {
    ("rpn.proposal_layer", "ProposalLayer"): "rcnn.proposal_layer",
    ("rpn.anchor_target_layer", "AnchorTargetLayer"): "rcnn.anchor_target_layer",
    ("rpn.proposal_target_layer", "ProposalTargetLayer"): "rcnn.proposal_target_layer",
    ("roi_data_layer.layer", "RoIDataLayer"): "rcnn.roi_data_layer",
    ("voc_layers", "VOCSegDataLayer"): "fcn.voc_layers",
    ("voc_layers", "SBDDSegDataLayer"): "fcn.voc_layers",
    ("nyud_layers", "NYUDSegDataLayer"): "fcn.nyud_layers",
    ("siftflow_layers", "SIFTFlowSegDataLayer"): "fcn.siftflow_layers",
    ("pascalcontext_layers", "PASCALContextSegDataLayer"): "fcn.pascalcontext_layers",
}


def known(module: str, name: str, folder: str | None) -> type[Layer] | None:
    """The built-in layer for a class of a module that is known, and neither on Python's path nor in `folder`;
    else None."""
    place = MODULES.get((module, name))
    if place is None or _is_there(module, folder):
        return None
    return getattr(importlib.import_module(f"...{place}", __name__), name)


def _is_there(module: str, folder: str | None) -> bool:
    """Looking for a module inside a package imports the package."""
    with beside(folder):
        try:
            return importlib.util.find_spec(module) is not None
        except ModuleNotFoundError:
            return False
        except Exception:
            return True  # it is there, and the error will show where the module is imported
