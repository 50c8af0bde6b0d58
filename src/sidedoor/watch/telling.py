"""The outbox emptied: what is due goes out, each message once; what a channel does not take waits for its next turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sidedoor.store.model import Alert, Delivery, DeliveryState
from sidedoor.store.tenant import TenantStore
from sidedoor.watch.channels.interface import Channel, ChannelError, PermanentError

# Minutes until the next attempt; the last for all that follow. Two days and a half until a message is given up.
_PAUSES = (1, 5, 15, 60, 180, 360)
_MOST_ATTEMPTS = 14
_PERMANENT = timedelta(hours=6)  # somebody has to change something first
_MAYBE = "may have arrived: "


@dataclass(slots=True)
class Told:
    """What became of the messages of a run, counted; `troubles` says which channel failed and why."""

    sent: int = 0
    waiting: int = 0
    given_up: int = 0
    troubles: dict[str, str] = field(default_factory=dict)


def tell(store: TenantStore, channels: Mapping[str, Channel], now: datetime) -> Told:
    """Send what is due. While the tenant's run is held: what stands as being sent was interrupted.

    channels: by name. A channel that fails is left alone for the rest of this run, so that one that is down costs one
    time-out.
    """
    told = Told()
    interrupted = [(delivery, alert, True) for delivery, alert in store.interrupted()]
    due = [(delivery, alert, delivery.error.startswith(_MAYBE)) for delivery, alert in store.due_deliveries(now)]
    for delivery, alert, repeat in (*interrupted, *due):
        if delivery.channel in told.troubles:
            told.waiting += 1
        elif store.claim(delivery, now):
            _send(store, channels.get(delivery.channel), (delivery, alert), now, told, repeat=repeat)
    return told


def _send(
    store: TenantStore,
    channel: Channel | None,
    what: tuple[Delivery, Alert],
    now: datetime,
    told: Told,
    *,
    repeat: bool,
) -> None:
    delivery, alert = what
    if channel is None:
        store.finish(delivery.id, DeliveryState.GIVEN_UP, now, "the settings have no such channel any more")
        told.given_up += 1
        return
    try:
        channel.send(alert, delivery.occasion, store.domain, delivery.id, repeat=repeat)
    except ChannelError as error:
        told.troubles[delivery.channel] = str(error)
        _failed(store, delivery, error, now, told)
    else:
        store.finish(delivery.id, DeliveryState.SENT, now)
        told.sent += 1


def _failed(store: TenantStore, delivery: Delivery, error: ChannelError, now: datetime, told: Told) -> None:
    text = f"{_MAYBE if error.maybe_arrived else ''}{error}"
    if delivery.attempts + 1 >= _MOST_ATTEMPTS:
        store.finish(delivery.id, DeliveryState.GIVEN_UP, now, text)
        told.given_up += 1
        return
    store.finish(delivery.id, DeliveryState.DUE, now, text, now + _pause(delivery, error))
    told.waiting += 1


def _pause(delivery: Delivery, error: ChannelError) -> timedelta:
    if isinstance(error, PermanentError):
        return _PERMANENT
    own = timedelta(minutes=_PAUSES[min(delivery.attempts, len(_PAUSES) - 1)])
    return max(own, timedelta(seconds=error.retry_after or 0))
