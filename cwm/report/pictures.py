"""Which pictures of an evaluation are wanted, and writing them after it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cwm.core.dataset_file import check_writable
from cwm.core.errors import ConfigError, CwmError
from cwm.evaluation.setups import Setup
from cwm.execution.progress import Progress
from cwm.report.planning import PlanningReport
from cwm.report.plots import check_plot, write_plot
from cwm.report.video import check_video, write_video
from envs.spec import EnvSpec
from sandbox.errors import SandboxUnavailable


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """The pictures that are wanted.

    Attributes:
        plot: File for the plot; `None` for none.
        video: File for the video; likewise.
        video_steps: Steps that the video shows, at most.
    """

    plot: Path | None = None
    video: Path | None = None
    video_steps: int

    def check(self, spec: EnvSpec, setups: Sequence[Setup]) -> None:
        """Makes sure, before the work, that they can be made.

        Raises:
            ConfigError: If there is nothing to show, or a file has another ending.
            PrerequisiteError: If something must be installed first.
            DataError: If a file cannot be written.
        """
        if self.plot is not None:
            check_plot(self.plot)
            check_writable(self.plot)
        if self.video is not None:
            if all(setup.kind == "random" for setup in setups):
                raise ConfigError(
                    "video must have a world model to show, got random actions."
                )
            check_video(self.video, spec, setups[0].seed)
            check_writable(self.video)

    def write(
        self, report: PlanningReport, setups: Sequence[Setup], progress: Progress
    ) -> tuple[list[str], bool]:
        """Writes them; returns lines on them, and whether all are there.

        What fails is said in its line: the work before it is not lost.
        """

        def plot(path: Path) -> str:
            write_plot(report, path)
            return f"plot: {path}"

        def video(path: Path) -> str:
            return self._write_video(path, report, setups, progress)

        wanted: tuple[tuple[str, Path | None, Callable[[Path], str]], ...] = (
            ("plot", self.plot, plot),
            ("video", self.video, video),
        )
        lines: list[str] = []
        has_all = True
        for name, path, write in wanted:
            if path is None:
                continue
            try:
                lines.append(write(path))
            except (CwmError, SandboxUnavailable, OSError) as error:
                lines.append(f"no {name}: {error}")
                has_all = False
        return lines, has_all

    def _write_video(
        self,
        path: Path,
        report: PlanningReport,
        setups: Sequence[Setup],
        progress: Progress,
    ) -> str:
        """Writes a video of the first episode of the first row with a model."""
        row, setup = next(
            (row, setup)
            for row, setup in zip(report.rows, setups, strict=True)
            if setup.kind != "random"
        )
        number = write_video(
            path,
            setup,
            row.episodes[0],
            title=row.model,
            max_steps=self.video_steps,
            progress=progress,
        )
        unit = "step" if number == 1 else "steps"
        return f"video of {row.title}, episode 0, {number:,} {unit}: {path}"
