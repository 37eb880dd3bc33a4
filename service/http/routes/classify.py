"""Images in, classes out."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from service.classification import classify
from service.http.calls import IMAGE_BODY, ImageCall, ImageCallOf, problem_responses
from service.http.schemas import ClassifyAnswer, ImagePredictions, PredictionAnswer

router = APIRouter(tags=["classification"])

TopK = Annotated[
    int | None, Query(description="How many classes of each image, the best first; 5 where it is not given.")
]


@router.put("/classify", include_in_schema=False)
@router.post(
    "/classify",
    response_model=ClassifyAnswer,
    openapi_extra=IMAGE_BODY,
    responses=problem_responses(400, 404, 408, 413, 415, 422, 503, 504),
)
async def classify_images(call: ImageCallOf, top_k: TopK = None) -> Response:
    """Tell what one or several images show."""
    return await call.answer(lambda: _work(call, top_k), media_type="application/json")


def _work(call: ImageCall, top_k: int | None) -> bytes:
    model = call.model
    images = call.images()
    found = classify(model, images, top_k=top_k, max_pixels=call.engine.settings.max_pixels, timings=call.timings)
    with call.timings.measure("encode"):
        results = [
            ImagePredictions(predictions=[PredictionAnswer.model_validate(p, from_attributes=True) for p in one])
            for one in found
        ]
        return ClassifyAnswer(model=model.name, version=model.version, results=results).model_dump_json().encode()
