"""What was asked, as data: JSON in and out, frozen, unknown fields refused."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
)
from pydantic.dataclasses import dataclass

from napari_credible.noise.models import Gaussian, PoissonGaussian, model_from_dict

Model = Gaussian | PoissonGaussian
Noise = Annotated[
    Any,
    BeforeValidator(lambda value: _noise(value)),
    PlainSerializer(lambda value: _plain(value)),
]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Recipe:
    """Everything that decides a result, beside the image itself.

    Parameters
    ----------
    method : "denoise"
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
    """

    method: Literal["denoise"] = "denoise"
    noise: Noise = None
    denoiser: str = "unet"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    device: str | None = None
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

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
        except json.JSONDecodeError as error:
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
            raise ValueError(f"recipe field {place} is {first['input']!r}: {sentence}") from None

    def replace(self, **changes: Any) -> Recipe:
        """Return a copy with some fields changed, checked like a new recipe."""
        now = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return Recipe.of(**{**now, **changes})


def _noise(value: Any) -> Model | tuple[Model, ...] | None:
    if value is None or isinstance(value, (Gaussian, PoissonGaussian)):
        return value
    if isinstance(value, dict):
        return model_from_dict(value)
    if isinstance(value, (list, tuple)) and value:
        return tuple(_one_model(each) for each in value)
    raise ValueError("give Gaussian, PoissonGaussian, one of them for each channel, or nothing")


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
