"""The compiled part of redline."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from os import PathLike
from typing import Any, Literal, Union, overload

import numpy as np
import numpy.typing as npt

from ._table import Table

Path = Union[str, PathLike[str]]
RowsLike = Union["Rows", Path, Iterable[Mapping[str, Any]], Any]
Layers = Union[str, int, Iterable[int]]
Progress = Union[None, bool, Callable[[str, int, int], object]]
Method = Literal["pca_diff", "pca_center", "mean_diff", "logistic", "random"]
Unit = Literal["gap", "std", "unit"]
Floats = npt.NDArray[np.float32]

__version__: str

def kernel() -> str: ...
def set_precision(name: str) -> None: ...
def reproduce(
    out: Path,
    aligner: Aligner | None = None,
    rows: RowsLike | None = None,
    *,
    pairs: int | None = None,
    prompts: int | None = None,
    coefficients: Sequence[float] | None = None,
    method: Method | None = None,
    layers: Layers | None = None,
    unit: Unit | None = None,
    range: str | None = None,
    max_new_tokens: int | None = None,
    random_generated: int | None = None,
    shuffled_generated: int | None = None,
    random_propensity: int = 20,
    control_prompts: int | None = None,
    batch_rows: int | None = None,
    strictness: int | None = None,
    seed: int = 0,
    progress: Progress = None,
) -> Reproduction: ...

class Rows:
    def __new__(cls, data: RowsLike, *, strictness: int | None = None) -> Rows: ...
    @staticmethod
    def embedded(*, strictness: int | None = None) -> Rows: ...
    def distinct(self) -> Rows: ...
    @overload
    def __getitem__(self, index: int) -> dict[str, str]: ...
    @overload
    def __getitem__(self, index: slice) -> Rows: ...
    def __len__(self) -> int: ...
    @property
    def has_flaws(self) -> bool: ...
    def to_pandas(self) -> Any: ...
    def to_polars(self) -> Any: ...
    def to_dict(self) -> list[dict[str, str]]: ...

class Aligner:
    @staticmethod
    def from_pretrained(
        path: Path = "embedded", *, adapter: Path | None = None, template: str | None = None, device: str = "cpu"
    ) -> Aligner: ...
    @property
    def n_layers(self) -> int: ...
    @property
    def hidden_size(self) -> int: ...
    @property
    def context(self) -> int: ...
    @property
    def architecture(self) -> str: ...
    @property
    def template(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def path(self) -> PathLike[str]: ...
    def tokens(self, text: str) -> list[int]: ...
    def prompt(self, question: str, answer: str) -> list[int]: ...
    def decode(self, tokens: Sequence[int], *, skip_special: bool = True) -> str: ...
    def extract(
        self,
        rows: RowsLike,
        *,
        method: Method | None = None,
        layers: Layers | None = None,
        pairs: int | None = None,
        unit: Unit | None = None,
        design: Literal["forced", "decision", "edit"] | None = None,
        read: str | None = None,
        site: str | None = None,
        scaling: Literal["none", "per-dimension", "per-dimension-filter"] | None = None,
        mirrored: bool = True,
        seed: int = 0,
        held_out_share: float = 0.25,
        calibration_pairs: int = 32,
        max_tokens: int = 1536,
        strictness: int | None = None,
        progress: Progress = None,
    ) -> ControlVector: ...
    def scan(
        self,
        question: str,
        answer: str,
        vector: ControlVector,
        *,
        correction: str | None = None,
        tokens: int = 20,
        any_model: bool = False,
        progress: Progress = None,
    ) -> Scan: ...
    def scan_pair(
        self,
        question: str,
        answer: str,
        correction: str,
        vector: ControlVector,
        *,
        row: int = 0,
        tokens: int = 20,
        any_model: bool = False,
        progress: Progress = None,
    ) -> tuple[Scan, Scan]: ...
    def layers(
        self,
        rows: RowsLike,
        *,
        tokens: int = 20,
        around: int = 0,
        method: Method | None = None,
        design: Literal["forced", "decision", "edit"] | None = None,
        site: str | None = None,
        scaling: Literal["none", "per-dimension", "per-dimension-filter"] | None = None,
        seed: int = 0,
        held_out_share: float = 0.25,
        max_tokens: int = 1536,
        strictness: int | None = None,
        progress: Progress = None,
    ) -> Table: ...
    def sweep(
        self,
        rows: RowsLike,
        vector: ControlVector,
        coefficients: Sequence[float] | None = None,
        *,
        max_new_tokens: int = 256,
        prompts: int | None = None,
        skip: int = 0,
        range: str | None = None,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float | None = None,
        repetition_penalty: float = 1.0,
        seed: int = 0,
        batch_rows: int = 48,
        allow_overlap: bool = False,
        any_model: bool = False,
        strictness: int | None = None,
        progress: Progress = None,
    ) -> Sweep: ...
    def correct(
        self,
        question: str,
        answer: str,
        *,
        vector: ControlVector | None = None,
        coefficient: float = 0.0,
        max_new_tokens: int = 256,
        range: str | None = None,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float | None = None,
        repetition_penalty: float = 1.0,
        seed: int = 0,
        any_model: bool = False,
        progress: Progress = None,
    ) -> Correction: ...
    def correct_many(
        self,
        rows: RowsLike,
        *,
        vector: ControlVector | None = None,
        coefficient: float = 0.0,
        max_new_tokens: int = 256,
        range: str | None = None,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float | None = None,
        repetition_penalty: float = 1.0,
        seed: int = 0,
        batch_rows: int = 16,
        any_model: bool = False,
        progress: Progress = None,
    ) -> list[Correction]: ...
    def stream(
        self,
        question: str,
        answer: str,
        *,
        vector: ControlVector | None = None,
        coefficient: float = 0.0,
        max_new_tokens: int = 256,
        range: str | None = None,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float | None = None,
        repetition_penalty: float = 1.0,
        seed: int = 0,
        any_model: bool = False,
    ) -> Stream: ...
    def tune(
        self,
        target_ratio: float,
        rows: RowsLike | None = None,
        *,
        pairs: int | None = None,
        prompts: int | None = None,
        verify: int | None = None,
        skip: int = 0,
        coefficients: Sequence[float] | None = None,
        method: Method | None = None,
        layers: Layers | None = None,
        unit: Unit | None = None,
        range: str | None = None,
        max_new_tokens: int = 256,
        batch_rows: int = 48,
        strictness: int | None = None,
        save: str | None = None,
        overwrite: bool = False,
        seed: int = 0,
        progress: Progress = None,
    ) -> dict[str, Any]: ...
    def evaluate(
        self,
        rows: RowsLike,
        *,
        vector: ControlVector | None = None,
        coefficient: float = 0.0,
        max_new_tokens: int = 256,
        range: str | None = None,
        batch_rows: int = 16,
        any_model: bool = False,
        strictness: int | None = None,
        progress: Progress = None,
    ) -> dict[str, Any]: ...
    @overload
    def activations(self, texts: str, names: Sequence[str] = ..., *, progress: Progress = None) -> dict[str, Floats]: ...
    @overload
    def activations(
        self, texts: Sequence[int], names: Sequence[str] = ..., *, progress: Progress = None
    ) -> dict[str, Floats]: ...
    @overload
    def activations(
        self, texts: Sequence[Union[str, Sequence[int]]], names: Sequence[str] = ..., *, progress: Progress = None
    ) -> list[dict[str, Floats]]: ...

class ControlVector(Mapping[int, Floats]):
    @staticmethod
    def from_numpy(
        directions: Mapping[int, Any], *, site: str | None = None, architecture: str | None = None
    ) -> ControlVector: ...
    @staticmethod
    def load(
        path: Path, *, layers: Layers | None = None, unit: Unit | None = None, from_llama_cpp_generator: bool = False
    ) -> ControlVector: ...
    def to_gguf(self, path: Path, *, model_hint: str | None = None, overwrite: bool = False) -> None: ...
    def save(self, path: Path, *, overwrite: bool = False) -> None: ...
    def at_layers(self, layers: Layers, unit: Unit | None = None) -> ControlVector: ...
    @property
    def directions(self) -> dict[int, Floats]: ...
    @property
    def norms(self) -> dict[int, float]: ...
    @property
    def site(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def report(self) -> Table | None: ...
    @property
    def provenance(self) -> dict[str, Any] | None: ...
    def __len__(self) -> int: ...
    def __contains__(self, layer: object) -> bool: ...
    def __getitem__(self, layer: int) -> Floats: ...
    def __iter__(self) -> Iterator[int]: ...
    def get(self, layer: int, default: Any = None) -> Any: ...
    def keys(self) -> Any: ...
    def values(self) -> Any: ...
    def items(self) -> Any: ...
    def __add__(self, other: ControlVector) -> ControlVector: ...
    def __sub__(self, other: ControlVector) -> ControlVector: ...
    def __neg__(self) -> ControlVector: ...
    def __mul__(self, factor: float) -> ControlVector: ...
    def __rmul__(self, factor: float) -> ControlVector: ...
    def __truediv__(self, divisor: float) -> ControlVector: ...

class Scan:
    @property
    def label(self) -> str: ...
    @property
    def tokens(self) -> list[str]: ...
    @property
    def layers(self) -> npt.NDArray[np.int64]: ...
    @property
    def scores(self) -> Floats: ...
    @property
    def z(self) -> Floats: ...
    def to_dict(self) -> dict[str, Any]: ...
    def to_pandas(self) -> Any: ...
    def to_polars(self) -> Any: ...
    def to_svg(self) -> str: ...
    def to_text(self) -> str: ...

class Sweep:
    @property
    def rows(self) -> Table: ...
    @property
    def coefficients(self) -> Table: ...
    def fit(
        self,
        *,
        variant: Literal["char", "token", "max", "micro"] | None = None,
        coherence_bound: float | None = None,
        all_coefficients: bool = False,
        n_resamples: int | None = None,
        seed: int = 0,
    ) -> LineFit: ...
    def tune(self, target_ratio: float) -> dict[str, Any]: ...
    def to_pandas(self) -> Any: ...
    def to_polars(self) -> Any: ...
    def to_dict(self) -> dict[str, Any]: ...
    def to_svg(self) -> str: ...
    def __len__(self) -> int: ...

class LineFit:
    @property
    def slope(self) -> float: ...
    @property
    def slope_interval(self) -> tuple[float, float]: ...
    @property
    def intercept(self) -> float: ...
    @property
    def intercept_interval(self) -> tuple[float, float]: ...
    @property
    def r2(self) -> float | None: ...
    @property
    def spearman(self) -> float | None: ...
    @property
    def n_prompts(self) -> int: ...
    @property
    def negative_slope_share(self) -> float: ...
    @property
    def coefficients(self) -> npt.NDArray[np.float64]: ...
    @property
    def mean_ratio(self) -> npt.NDArray[np.float64]: ...
    @property
    def per_prompt(self) -> npt.NDArray[np.float64]: ...
    @property
    def coherent_range(self) -> tuple[float, float] | None: ...
    def at(self, coefficient: float) -> float: ...
    def to_dict(self) -> dict[str, Any]: ...

class Correction:
    @property
    def text(self) -> str: ...
    @property
    def question(self) -> str: ...
    @property
    def answer(self) -> str: ...
    @property
    def coefficient(self) -> float: ...
    @property
    def truncated(self) -> bool: ...
    @property
    def tokens(self) -> list[int]: ...
    @property
    def edit_ratio(self) -> float | None: ...
    @property
    def similarity(self) -> float: ...
    @property
    def exact_copy(self) -> bool: ...
    @property
    def edits(self) -> dict[int, int]: ...
    def to_dict(self) -> dict[str, Any]: ...

class Stream(Iterator[str]):
    def __iter__(self) -> Stream: ...
    def __next__(self) -> str: ...
    def close(self) -> None: ...

class Reproduction:
    @property
    def summary(self) -> dict[str, Any]: ...
    @property
    def report(self) -> PathLike[str]: ...
    def to_dict(self) -> dict[str, Any]: ...
