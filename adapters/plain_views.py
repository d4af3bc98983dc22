"""Views whose methods are the ones that they define: no OPTIONS by itself."""

from flask import Blueprint
from flask.views import MethodView


class PlainView(MethodView):
    """A view of a dialect; preflights are answered by a route of their own."""

    provide_automatic_options = False


def add_hidden_route(blueprint: Blueprint, rule: str, view: type[MethodView]) -> None:
    """Route a rule to a view that no API document shows."""
    # Flask's own method: the one of a flask-smorest blueprint would put the view into the document.
    Blueprint.add_url_rule(
        blueprint, rule, view_func=view.as_view(view.__name__), strict_slashes=False
    )
