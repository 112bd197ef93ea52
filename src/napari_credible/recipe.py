"""What was asked, as data: JSON in and out, frozen, unknown fields refused."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
)
from pydantic.dataclasses import dataclass

from napari_credible.denoise import denoisers
from napari_credible.knob import Choice, Knob
from napari_credible.noise.models import Gaussian, PoissonGaussian, model_from_dict

Model = Gaussian | PoissonGaussian
# Methods that draw from the posterior.
DRAWING = ("sample",)
# Methods that say how sure each pixel is.
UNSURE = (*DRAWING, "spread")
Noise = Annotated[
    Any,
    BeforeValidator(lambda value: _noise(value)),
    PlainSerializer(lambda value: _plain(value)),
]


def _devices() -> dict[str, str]:
    return {"cpu": "processor", "cuda": "NVIDIA or AMD graphics card", "mps": "Apple graphics"}


def _precisions() -> dict[str, str]:
    return {
        "auto": "float32 on the processor, bfloat16 on CUDA",
        "float32": "exact to 7 digits",
        "bfloat16": "faster on graphics cards, exact to 3 digits",
    }


def _dtypes() -> dict[str, str]:
    return {
        "float32": "fractions are kept",
        "input": "rounded and cut to the integers of the input",
    }


def _samplers() -> dict[str, str]:
    from napari_credible.samplers import ABOUT

    return ABOUT


def _keeping() -> dict[str, str]:
    return {
        "draws": "every draw, so that anything can be asked of them later",
        "maps": "mean, spread, one interval and one exceedance: any number of draws fits",
    }


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Recipe:
    """Everything that decides a result, beside the image itself.

    Parameters
    ----------
    method : "denoise", "sample" or "spread"
        What is done.
    noise : NoiseModel, sequence of them, or None
        Of the image; one for each channel of an image with a channel axis. None measures it.
    denoiser : str
        A shipped name or the path of weights.
    seed : int, 0 to 2^63 - 1
        Of every random choice.
    device : str, optional
        "cpu", "cuda", "mps"; None takes the fastest that is there.
    precision : "auto", "float32" or "bfloat16"
        Of the network's layers. "auto" is float32 on CPU and bfloat16 on CUDA.
    memory : float, optional, GiB
        That tiles may take; None takes half of what is free when the run starts.
    dtype : "float32" or "input"
        Of the estimate in files and layers. "input" rounds to the input's integers.
    sampler : str, mapping or Sampler
        Who draws, for ``sample``: see :func:`napari_credible.samplers.sampler_of`.
    n_draws : int, 2 to 1e6
        Images drawn from the posterior.
    level : float, 0 to 1, excluded
        Probability of the credible interval.
    threshold : float, optional, image units
        Of the exceedance probability; None maps none.
    keep : "draws" or "maps"
        What stays in memory.
    widen : float, 0.1 to 10
        Factor on both sides of the interval, from a calibration on images whose truth is known:
        see :func:`napari_credible.calibration.widening`.
    probes : int, 1 to 1024
        Evaluations of the denoiser for ``spread``, beside the first.
    guarantee : str
        What ``widen`` rests on, in a sentence; part of the record.

    Notes
    -----
    Form, command line and JSON are drawn from these declarations: a new field appears in all.
    """

    method: Literal["denoise", "sample", "spread"] = "denoise"
    noise: Noise = None
    denoiser: Annotated[str, Choice(denoisers, "who denoises", others="a path of weights")] = "unet"
    seed: Annotated[int, Knob(0, 2**63 - 1, "", "of every random choice")] = 0
    device: Annotated[
        str | None, Choice(_devices, "where the network runs", "the fastest", "cuda:1")
    ] = None
    precision: Annotated[str, Choice(_precisions, "of the network's layers")] = "auto"
    memory: Annotated[
        float | None, Knob(0.01, 1e6, "GiB", "that tiles may take; empty: half of what is free")
    ] = None
    dtype: Annotated[str, Choice(_dtypes, "numbers of the result")] = "float32"
    sampler: Annotated[
        Any,
        BeforeValidator(lambda value: _sampler(value)),
        Choice(_samplers, "who draws", others="NAME:NUMBER", methods=DRAWING),
    ] = "corrected"
    n_draws: Annotated[int, Knob(2, 10**6, "", "images drawn", methods=DRAWING)] = 16
    level: Annotated[
        float, Knob(0.01, 0.9999, "", "probability of the interval", methods=UNSURE)
    ] = 0.9
    threshold: Annotated[
        float | None, Knob(-1e30, 1e30, "", "whose exceedance is mapped", methods=UNSURE)
    ] = None
    keep: Annotated[str, Choice(_keeping, "what stays in memory", methods=DRAWING)] = "draws"
    widen: Annotated[
        float, Knob(0.1, 10, "", "factor on the interval, from calibration", methods=UNSURE)
    ] = 1.0
    probes: Annotated[
        int, Knob(1, 1024, "", "evaluations for the map of the spread", methods=("spread",))
    ] = 16
    guarantee: str = ""

    def to_json(self) -> str:
        """Return the recipe as one line of JSON."""
        return json.dumps(_ADAPTER.dump_python(self, mode="json"))

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """Return the recipe of a JSON text.

        Raises
        ------
        ValueError
            One sentence on the first field that is unknown or outside its range.
        """
        try:
            values = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"the recipe is not JSON: {error}") from None
        if not isinstance(values, dict):
            raise ValueError(f"the recipe is a {type(values).__name__}; give an object of fields")
        return cls.of(**values)

    @classmethod
    def of(cls, **values: Any) -> Recipe:
        """Return a recipe, refusing what does not fit in one sentence."""
        names = [field.name for field in dataclasses.fields(cls)]
        unknown = sorted(set(values) - set(names))
        if unknown:
            raise ValueError(
                f"Recipe has no field {', '.join(unknown)}; its fields are {', '.join(names)}"
            )
        try:
            return cls(**values)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            sentence = first["msg"].removeprefix("Value error, ")
            if sentence.startswith("it is "):
                sentence = sentence.partition("; ")[2]
            raise ValueError(f"recipe field {place} is {first['input']!r}; {sentence}") from None

    def replace(self, **changes: Any) -> Recipe:
        """Return a copy with some fields changed, checked like a new recipe."""
        now = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return Recipe.of(**{**now, **changes})


def _noise(value: Any) -> Model | tuple[Model, ...] | None:
    if value is None or isinstance(value, (Gaussian, PoissonGaussian)):
        return value
    if isinstance(value, dict):
        try:
            return model_from_dict(value)
        except TypeError as error:  # a parameter is missing
            missing = str(error).partition(": ")[2] or str(error)
            raise ValueError(f"the noise model lacks a parameter ({missing})") from None
    if isinstance(value, (list, tuple)) and value:
        return tuple(_one_model(each) for each in value)
    raise ValueError("give Gaussian, PoissonGaussian, one of them for each channel, or nothing")


def _sampler(value: Any) -> str | dict[str, Any]:
    """Return a sampler as plain JSON values, checked."""
    if isinstance(value, str) and value.startswith("custom:"):
        return value
    from napari_credible.samplers import sampler_of, spelled

    return spelled(sampler_of(value))


def _one_model(value: Any) -> Model:
    model = _noise(value)
    if not isinstance(model, (Gaussian, PoissonGaussian)):
        raise ValueError("give one noise model for each channel")
    return model


def _plain(value: Any) -> Any:
    if value is None:
        return None
    return [v.to_dict() for v in value] if isinstance(value, tuple) else value.to_dict()


_ADAPTER = TypeAdapter(Recipe)
