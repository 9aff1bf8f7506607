"""Any torchvision classifier as a tower: transfer learning with MobileNetV2 and its kin (system 4)."""

from __future__ import annotations

import socket
from http.client import HTTPException
from pickle import UnpicklingError
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from galleries.errors import TowerError, require, unknown_name
from galleries.images import InputSpec
from siamese.towers.base import IMAGENET_MEAN, IMAGENET_STD, Tower, rectify

DOWNLOAD_TIMEOUT = 20.0
"""Seconds without an answer after which a download of weights is given up."""


def torchvision_names() -> list[str]:
    """Names of torchvision's classification architectures (``resnet50``, ``vit_b_16`` …)."""
    models = require("torchvision.models", "train")
    names: list[str] = models.list_models(module=models)
    return names


class TorchvisionTower(Tower):
    """A torchvision backbone, global *max* pooling, and a dense layer of 128 with ReLU.

    The published system put MobileNetV2 (and EfficientNet, ResNet, DenseNet) under Dense 128, Dropout 0.4 and a
    softmax. Backbones that are no convolutional pyramid (transformers, RegNet …) keep their own pooling.

    Args:
        name: An architecture of :func:`torchvision_names`.
        input_spec: 96x96x3 by default, with ImageNet mean and standard deviation; grey pictures are copied to RGB.
        embedding_dim: 128 in the published system.
        weights: ``"imagenet"`` for torchvision's pretrained weights, None for random ones.

    Raises:
        ConfigError: torchvision has no architecture of that name.
        TowerError: The weights cannot be downloaded, or the architecture cannot take this input.
    """

    def __init__(
        self,
        name: str,
        input_spec: InputSpec | None = None,
        embedding_dim: int = 128,
        weights: str | None = None,
    ) -> None:
        spec = input_spec or InputSpec(96, 96, 3)
        if spec.channels != 3:
            raise TowerError(f"torchvision's {name} takes 3 channels; {spec} was asked for. Use channels 3.")
        super().__init__(spec, embedding_dim, IMAGENET_MEAN, IMAGENET_STD, "cosine", 0.4)
        self.name = name
        backbone, self.pools_itself = _headless(_build(name, spec, weights))
        self.backbone = backbone
        try:
            width = _feature_width(self, spec)
        except (RuntimeError, AssertionError, ValueError) as error:
            raise TowerError(
                f"torchvision's {name} cannot take pictures of {spec} ({str(error).splitlines()[0]}); "
                "give another --input-size, such as 224."
            ) from error
        self.dense = nn.Linear(width, embedding_dim)

    def features(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, H, W) to the backbone's pooled features (B, width)."""
        out: Tensor = self.backbone(images)
        return out if self.pools_itself else F.adaptive_max_pool2d(out, 1).flatten(1)  # (B, W, h, w) -> (B, W)

    def embed(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, H, W) to vectors (B, 128), none negative."""
        return rectify(self.dense(self.features(images)))


def _build(name: str, spec: InputSpec, weights: str | None) -> nn.Module:
    models = require("torchvision.models", "train")
    if name not in torchvision_names():
        raise unknown_name("torchvision classifier", name, torchvision_names())
    options: dict[str, Any] = {}
    if name.startswith("vit_") and weights is None:
        options["image_size"] = spec.height
    if name in ("googlenet", "inception_v3") and weights is None:
        options.update(aux_logits=False, init_weights=True)
    choice, patience = _weights_choice(weights), socket.getdefaulttimeout()
    try:
        socket.setdefaulttimeout(DOWNLOAD_TIMEOUT)
        model: Any = models.get_model(name, weights=choice, **options)
    except (OSError, HTTPException, RuntimeError, UnpicklingError, EOFError) as error:
        if choice is None:
            raise TowerError(f"torchvision's {name} cannot be built for {spec} ({error}).") from error
        raise TowerError(
            f"The ImageNet weights of {name} could not be downloaded or read ({error}). On a machine with internet run "
            f"python -c \"import torchvision; torchvision.models.get_model('{name}', weights='DEFAULT')\" and copy "
            "the file from ~/.cache/torch/hub/checkpoints to the same folder here, or train without --weights."
        ) from error
    finally:
        socket.setdefaulttimeout(patience)
    if hasattr(model, "transform_input"):
        model.transform_input = True  # as with the pretrained weights; a saved tower is built again without them
    if hasattr(model, "aux_logits"):
        model.aux_logits = False
        model.AuxLogits = model.aux1 = model.aux2 = None
    made: nn.Module = model
    return made


def _weights_choice(weights: str | None) -> str | None:
    if weights in (None, "none"):
        return None
    if weights != "imagenet":
        raise unknown_name("kind of pretrained weights", str(weights), ["imagenet", "none"])
    return "DEFAULT"


def _headless(model: nn.Module) -> tuple[nn.Module, bool]:
    """A model without its classifier, and whether it pools its features itself."""
    features = getattr(model, "features", None)
    if isinstance(features, nn.Sequential) and not hasattr(model, "head"):  # Swin calls its pyramid features too
        extra = [nn.ReLU()] if type(model).__name__ == "DenseNet" else []
        return nn.Sequential(features, *extra), False
    if hasattr(model, "layer4"):
        children = [child for key, child in model.named_children() if key not in ("avgpool", "fc")]
        return nn.Sequential(*children), False
    last = [key for key, layer in model.named_modules() if isinstance(layer, nn.Linear)][-1]
    parent = model.get_submodule(last.rpartition(".")[0])
    setattr(parent, last.rpartition(".")[2], nn.Identity())
    return model, True


def _feature_width(tower: TorchvisionTower, spec: InputSpec) -> int:
    import torch

    was_training = tower.training
    tower.eval()
    with torch.no_grad():
        width = int(tower.features(torch.zeros(1, 3, spec.height, spec.width)).shape[1])
    tower.train(was_training)
    return width
