"""Health of a database behind an endpoint of FastAPI: 200 when all is well, 503 when not, or when it cannot be seen.

DATABASE_URL=postgresql://monitor@db.example/shop uvicorn health_app:app
"""

import asyncio
import time

import opskit
from fastapi import FastAPI, Response

KEEP_SECONDS = 15.0
"""How long an answer is good: however often somebody asks, the server is asked this often at most."""

app = FastAPI()
_asking = asyncio.Lock()
_last: tuple[float, opskit.HealthReport] | None = None


async def _report() -> opskit.HealthReport:
    global _last
    async with _asking:
        if _last is None or time.monotonic() - _last[0] > KEEP_SECONDS:
            # Counters are compared with those of the last report.
            before = _last[1] if _last else None
            _last = (time.monotonic(), await opskit.connect().health_async(before=before))
        return _last[1]


@app.get("/health")
async def health(response: Response) -> dict[str, object]:
    try:
        report = await _report()
    except opskit.OpskitError as error:
        response.status_code = 503
        return {"ok": False, "worst": "unknown", "because": str(error)}
    response.status_code = 200 if report.ok else 503
    bad = [one.id for one in report.results if one.state not in ("pass", "skipped")]
    return {"ok": report.ok, "worst": report.worst, "look_at": bad}
