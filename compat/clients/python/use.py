"""Uses the generated client: appends events, lists them with a filter, walks to the end, and follows."""

import datetime
import os
from uuid import UUID

from audit_client.api.events import append_batch, append_event, follow_events, get_event, list_events
from audit_client.client import AuthenticatedClient
from audit_client.models.actor import Actor
from audit_client.models.attributes import Attributes
from audit_client.models.audit_event import AuditEvent
from audit_client.models.batch_receipts import BatchReceipts
from audit_client.models.change import Change
from audit_client.models.event_batch import EventBatch
from audit_client.models.event_feed import EventFeed
from audit_client.models.event_page import EventPage
from audit_client.models.field_change import FieldChange
from audit_client.models.json_object import JsonObject
from audit_client.models.new_event import NewEvent
from audit_client.models.problem import Problem
from audit_client.models.receipt import Receipt
from audit_client.types import UNSET

organization = UUID(os.environ["AUDIT_ORGANIZATION"])
client = AuthenticatedClient(base_url=os.environ["AUDIT_URL"], token=os.environ["AUDIT_KEY"])
TIME = datetime.datetime(2026, 11, 5, 12, tzinfo=datetime.timezone.utc)
ACTION = "python.invoice.paid"


def invoice(number: int) -> NewEvent:
    plan = Attributes.from_dict({"plan": "pro"})
    nested = JsonObject.from_dict({"lines": [{"sku": "a", "price": 1.5}, None, True]})
    field = FieldChange(field="state", old={"open": [1, 2]}, new="paid")
    actor = Actor(kind="user", id="u_7", email="ana@acme.example")
    return NewEvent(
        action=ACTION,
        actor=actor,
        occurred_at=TIME + datetime.timedelta(days=number),
        attributes=plan,
        metadata=nested,
        change=Change(diff=[field]),
    )


with client:
    receipt = append_event.sync(organization, client=client, body=invoice(0))
    assert isinstance(receipt, Receipt), receipt
    batch = EventBatch(events=[invoice(number) for number in range(1, 10)])
    appended = append_batch.sync(organization, client=client, body=batch)
    assert isinstance(appended, BatchReceipts) and len(appended.receipts) == 9, appended

    event = get_event.sync(organization, receipt.id, client=client)
    assert isinstance(event, AuditEvent), event
    assert isinstance(event.metadata, JsonObject) and isinstance(event.change, Change), event
    assert event.metadata["lines"] == [{"sku": "a", "price": 1.5}, None, True], event.metadata
    assert isinstance(event.change.diff, list) and event.change.diff[0].old == {"open": [1, 2]}, event.change

    # Of the ten events, six are in the range. Walks them by pages of two.
    walked: list[AuditEvent] = []
    token = None
    while True:
        page = list_events.sync(
            organization,
            client=client,
            action=["python.*"],
            attribute=["plan=pro"],
            since=TIME + datetime.timedelta(days=2),
            until=TIME + datetime.timedelta(days=8),
            limit=2,
            total=True,
            token=token or UNSET,
        )
        assert isinstance(page, EventPage) and page.total == 6, page
        walked.extend(page.events)
        token = page.next_
        if not token:
            break
    times = [event.occurred_at for event in walked]
    assert times == [TIME + datetime.timedelta(days=number) for number in range(7, 1, -1)], times

    feed = follow_events.sync(organization, client=client, action=[ACTION], limit=1000)
    assert isinstance(feed, EventFeed) and len(feed.events) == 10 and feed.caught_up, feed
    append_event.sync(organization, client=client, body=invoice(10))
    feed = follow_events.sync(organization, client=client, action=[ACTION], token=feed.token, wait=5)
    assert isinstance(feed, EventFeed) and len(feed.events) == 1, feed

    refused = list_events.sync(organization, client=client, action=[""])
    assert isinstance(refused, Problem) and refused.field == "action", refused

print("python: appended, listed, walked and followed")
