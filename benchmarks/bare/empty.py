"""An empty FastAPI route that reads the body."""

from fastapi import FastAPI, Request

app = FastAPI()


@app.post("/")
async def empty(request: Request) -> dict[str, int]:
    """Read the body, and say how long it is."""
    return {"bytes": len(await request.body())}
