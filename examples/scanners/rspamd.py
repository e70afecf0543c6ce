"""A scanner for the gate: it asks rspamd for its verdict on a message.

    gate = Gate(flows, scanners=[Rspamd("127.0.0.1", 11333)])

It speaks rspamd's HTTP protocol (``/checkv2``, rspamd.com/doc/developers/protocol.html). An outgoing relay
need not judge as a receiving one does: what receivers would mark as spam is held for manual review.
"""

from __future__ import annotations

import http.client
import json

from mailflows.gate import Finding, GateDecision

MOST_REPLY = 1 << 20

DECISIONS = {
    "reject": GateDecision.REJECT,
    "soft reject": GateDecision.DEFER,
    "rewrite subject": GateDecision.HOLD,
    "add header": GateDecision.HOLD,
    "greylist": GateDecision.ACCEPT,
}
"""rspamd's action → what it leads to; anything else finds nothing."""


class Rspamd:
    """Asks an rspamd worker.

    Args:
        host: Its address.
        port: Its port; 11333 is that of the normal worker.
        timeout: Seconds to wait for a connection and for each answer.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 11333, *, timeout: float = 10.0) -> None:
        self._host = host
        self._port = port
        self._timeout = timeout

    def __call__(self, raw: bytes) -> Finding | None:
        """Return what rspamd says, or `None` where it would do nothing.

        Raises:
            OSError: If it cannot be reached, or answers something else.
        """
        found = json.loads(self._ask(raw))
        action = str(found.get("action", ""))
        if action not in DECISIONS:
            return None
        symbols = sorted(found.get("symbols", {}))[:5]
        score, required = float(found.get("score", 0)), float(found.get("required_score", 0))
        sentence = f"{action} at {score:.1f} of {required:.1f}: {', '.join(symbols)}"
        return Finding(action.replace(" ", "-"), sentence, DECISIONS[action])

    def _ask(self, raw: bytes) -> bytes:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        try:
            connection.request("POST", "/checkv2", raw, {"Content-Type": "application/octet-stream"})
            response = connection.getresponse()
            reply = response.read(MOST_REPLY)
        except http.client.HTTPException as problem:
            msg = f"rspamd does not speak HTTP: {type(problem).__name__}"
            raise OSError(msg) from problem
        finally:
            connection.close()
        if response.status != 200:
            msg = f"rspamd answered {response.status}"
            raise OSError(msg)
        return reply
