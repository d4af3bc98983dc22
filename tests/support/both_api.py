"""A client that is the same user in both dialects, for tests of the whole service."""

from typing import Any

from flask.testing import FlaskClient
from support import achieveapex_api as apex_api
from support import deskera_api
from support.deskera_api import base64

from adapters.achieveapex.fields import EXPANSIONS

USER = 45
MADE = {
    "name": "Call",
    "activity_type": "call",
    "notes": base64("old"),
    "visibility_type": "public",
    "is_availability": True,
    "is_send_invitation": True,
    "is_send_contacts_invitation": True,
    "assignee_ids": [9, 7],
    "contact_ids": [5, 6],
    "organization_ids": [3, 4],
    "linked_to": 12,
    "owner_id": 44,
    "source": "APP",
    "source_id": "s-1",
    "start": "2025-04-15T14:30:00Z",
    "end": "2025-04-15T15:00:00Z",
}
PLACED = {
    "public_description": "For all",
    "location": "Online",
    "location_geocoded": {"lat": 37.7749, "lng": -122, "address": "San Francisco", "more": [1]},
}


class Both:
    """One user of one tenant, in both dialects."""

    def __init__(self, client: FlaskClient, key: str) -> None:
        """Send this key with every call."""
        self.deskera = deskera_api.Api(client, key)
        self.apex = apex_api.Api(client, key)

    def make(self) -> int:
        """Create the activity that both dialects show in full; return its id."""
        activity_id = self.deskera.create(**MADE)
        self.patch(activity_id, **PLACED)
        return activity_id

    def put(self, activity_id: int, **fields: Any) -> None:
        """Write in Deskera's dialect."""
        answer = self.deskera("PUT", activity_id, json=fields)
        assert (answer.status_code, answer.json) == (200, {"id": activity_id}), answer.text

    def patch(self, activity_id: int, **fields: Any) -> dict[str, Any]:
        """Write in AchieveApex's dialect; return the record."""
        answer = self.apex("PATCH", f"/activities/{activity_id}", json=fields)
        assert answer.status_code == 200, answer.text
        return dict(answer.json)

    def shown(self, activity_id: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return AchieveApex's record, without its expansions, and Deskera's."""
        record = self.apex("GET", f"/activities/{activity_id}").json
        for name in EXPANSIONS:
            del record[name]
        return record, self.deskera.read(activity_id)


def not_found(activity_id: int) -> dict[str, Any]:
    """Return what AchieveApex says of an activity that is not there."""
    message = f"No record found for id '{activity_id}'"
    return {"name": "NotFound", "message": message, "code": 404, "className": "not-found"}
