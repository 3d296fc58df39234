"""How values show themselves in a notebook, and as pages.

Values know no templates and open no images. Their views are named here and loaded when one is
asked for, as encoders and metrics are.
"""

from __future__ import annotations

from .registry import Registry

VIEWS = Registry("view")
VIEWS.add("catalogue", "likelens.report.notebook:catalogue_html")
VIEWS.add("hits", "likelens.report.notebook:hits_html")
VIEWS.add("page of hits", "likelens.report.hits:write_hits")
VIEWS.add("page of tuning", "likelens.report.tune:write_tuning")
