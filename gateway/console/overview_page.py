"""The overview: how the service does, now and in the last minutes."""

from flask import Response

from gateway.console.shell import blueprint, page

VIEW = "console.overview"


@blueprint.get("/")
def overview() -> Response:
    """Show the whole page."""
    return page("overview/page.html")
