"""What an image may cost, and the errors that say so."""

from dataclasses import dataclass
from typing import Final

from service import ticket
from service.errors import ImageDecodeError, ImageTypeError, RequestTooLargeError

# Pillow counts the bits of a row in 32 bits, and says that the memory ends where they are more.
LONGEST_SIDE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits for one image of a request.

    Args:
        max_pixels: Width times height that is accepted.
        index: Which image of the request it is, for messages; None where there is only one.
        pixel_bytes: The most memory that decoding one of its pixels takes; 0 where that is asked for later.
    """

    max_pixels: int
    index: int | None = None
    pixel_bytes: int = 0

    def check_size(self, width: int, height: int) -> None:
        """Refuse a picture that is too large.

        Raises:
            RequestTooLargeError: It has more than `max_pixels` pixels, or a side of more than `LONGEST_SIDE`.
            PostponedError: There is no room for it yet.
        """
        if width * height > self.max_pixels:
            raise self.too_large(f"{width}x{height} pixels")
        if max(width, height) > LONGEST_SIDE:
            raise RequestTooLargeError(
                f"{self._where} has {width}x{height} pixels; at most {LONGEST_SIDE:,} of a side are accepted"
            )
        ticket.current().need(width * height * self.pixel_bytes)

    def too_large(self, found: str) -> RequestTooLargeError:
        """It has too many pixels."""
        return RequestTooLargeError(
            f"{self._where} has {found}; at most {self.max_pixels:,} are accepted (setting max_pixels)"
        )

    def damaged(self, why: str) -> ImageDecodeError:
        """It is of an accepted format, and no encoder writes it like this."""
        return ImageDecodeError(why, index=self.index)

    def unsupported(self, why: str) -> ImageTypeError:
        """It is of a kind that is not accepted."""
        return ImageTypeError(why, index=self.index)

    @property
    def _where(self) -> str:
        return "the image" if self.index is None else f"image {self.index}"
