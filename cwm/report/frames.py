"""Frames of a video: the real environment beside what a world model makes of it.

Pillow is imported when it is needed.
"""

import textwrap
from dataclasses import dataclass
from typing import Any

import numpy as np

from cwm.report.picture_packages import load
from envs.rendering import Picture

PANEL = 400
"""Width of a half, and its greatest height, in pixels."""

GAP = 8
BAR = 26
"""Height of the lines of text above and below."""

FONT_SIZE = 14
SMALL_FONT_SIZE = 12
WORD_CHARS = 46
MAX_WORD_LINES = 9

INK = (20, 20, 20)
PAPER = (255, 255, 255)
EMPTY = (232, 232, 232)


@dataclass(frozen=True, kw_only=True)
class Half:
    """What one side of a frame shows.

    Attributes:
        picture: What is drawn; `None` for nothing.
        words: What is written over it; may be empty.
    """

    picture: Picture | None = None
    words: str = ""


class FrameMaker:
    """Puts two pictures side by side, with words above and below.

    Args:
        left_title: What stands above the left one.
        right_title: What stands above the right one.
        shape: Height and width of the pictures, in pixels.
    """

    def __init__(
        self, left_title: str, right_title: str, shape: tuple[int, int]
    ) -> None:
        self._titles = (left_title, right_title)
        height, width = shape
        # Videos want even numbers.
        self._height = 2 * round(min(PANEL, PANEL * height / width) / 2)
        self._image = load("PIL.Image")
        self._draw = load("PIL.ImageDraw")
        font = load("PIL.ImageFont")
        self._font = font.load_default(FONT_SIZE)
        self._small_font = font.load_default(SMALL_FONT_SIZE)

    def frame(self, left: Half, right: Half, caption: str) -> Picture:
        """Returns one frame.

        Args:
            left: The left half.
            right: The right half.
            caption: What stands below both.
        """
        size = (2 * PANEL + GAP, self._height + 2 * BAR)
        image = self._image.new("RGB", size, PAPER)
        draw = self._draw.Draw(image)
        for side, half in enumerate((left, right)):
            start = side * (PANEL + GAP)
            image.paste(self._half(half), (start, BAR))
            title = self._fitting(draw, self._titles[side], PANEL - 8)
            draw.text((start + 4, 4), title, fill=INK, font=self._font)
        draw.text((4, BAR + self._height + 4), caption, fill=INK, font=self._font)
        return np.asarray(image).copy()

    def _half(self, half: Half) -> Any:
        panel = self._image.new("RGB", (PANEL, self._height), EMPTY)
        if half.picture is not None:
            picture = self._image.fromarray(half.picture)
            scale = min(PANEL / picture.width, self._height / picture.height)
            size = (
                max(1, round(picture.width * scale)),
                max(1, round(picture.height * scale)),
            )
            resized = picture.resize(size, self._image.Resampling.LANCZOS)
            corner = ((PANEL - size[0]) // 2, (self._height - size[1]) // 2)
            panel.paste(resized, corner)
        if half.words:
            panel = self._image.blend(
                panel, self._image.new("RGB", panel.size, EMPTY), 0.6
            )
            lines = textwrap.wrap(half.words, WORD_CHARS)
            if len(lines) > MAX_WORD_LINES:
                lines = [*lines[: MAX_WORD_LINES - 1], "..."]
            self._draw.Draw(panel).multiline_text(
                (PANEL // 2, self._height // 2),
                "\n".join(lines),
                fill=INK,
                font=self._small_font,
                anchor="mm",
                align="center",
            )
        return panel

    def _fitting(self, draw: Any, text: str, width: int) -> str:
        """Returns as much of a text as fits into a line."""
        if draw.textlength(text, font=self._font) <= width:
            return text
        while text and draw.textlength(f"{text}...", font=self._font) > width:
            text = text[:-1]
        return f"{text}..."
