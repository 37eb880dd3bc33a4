"""What Prometheus asks for."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from service.http.metrics import Metrics

router = APIRouter(tags=["health"])


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def show_metrics(
    request: Request, accept: Annotated[str, Header()] = "", accept_encoding: Annotated[str, Header()] = ""
) -> Response:
    """Metrics for Prometheus: as OpenMetrics or as plain text, as `Accept` says.

    Whichever process is asked tells of all that serve together.
    """
    metrics: Metrics = request.app.state.metrics
    metrics.tell()
    body, headers = await asyncio.to_thread(metrics.written, accept, accept_encoding)
    return Response(body, headers=headers)
