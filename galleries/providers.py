"""What runs a tower: ONNX Runtime's execution providers, best first, and the session that one is opened with.

A provider that is installed may still not start, for want of its own libraries (CUDA, cuDNN, TensorRT). Where it was
asked for by name this is an error; where the best was to be taken, the next best takes its place.
"""

from __future__ import annotations

from typing import Any, List, Optional, Sequence, Union

from galleries.errors import ConfigError, TowerError, first_line, require, unknown_name

PROVIDERS = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
"""Short names of the providers that are taken unasked, best first."""


def choose_providers(wanted: Optional[Union[str, Sequence[str]]] = None) -> List[str]:
    """ONNX Runtime's names of the providers to use, best first.

    Args:
        wanted: Short (``"cuda"``) or full names; None takes the best available of TensorRT, CUDA and CPU.

    Raises:
        ConfigError: One of them is unknown or not offered here.
    """
    available = list(require("onnxruntime", "train").get_available_providers())
    if wanted is None:
        return [name for name in PROVIDERS.values() if name in available]
    chosen = [PROVIDERS.get(name.lower(), name) for name in ([wanted] if isinstance(wanted, str) else wanted)]
    for name in chosen:
        if name not in available:
            raise unknown_name("ONNX Runtime provider on this machine", name, available)
    return chosen or ["CPUExecutionProvider"]


def short_name(provider: str) -> str:
    """A provider's short name: ``"cuda"`` for ``"CUDAExecutionProvider"``; one without a short name keeps its own."""
    return next((short for short, name in PROVIDERS.items() if name == provider), provider)


def open_session(
    model: bytes, where: str, wanted: Optional[Union[str, Sequence[str]]] = None, threads: Optional[int] = None
) -> Any:
    """Open an ONNX model.

    Args:
        model: The file's bytes.
        where: What to call it in an error.
        wanted: As :func:`choose_providers`.
        threads: CPU threads for one run; None leaves the choice to ONNX Runtime.

    Returns:
        An ``onnxruntime.InferenceSession``.

    Raises:
        TowerError: It is no readable ONNX file.
        ConfigError: A provider that is unknown, not offered or does not start here, or a wrong number of threads.
    """
    runtime = require("onnxruntime", "train")
    options = runtime.SessionOptions()
    options.log_severity_level = 3  # errors only: a library prints nothing
    options.add_session_config_entry("session.force_spinning_stop", "1")  # threads rest between runs, and wait in them
    if threads is not None:
        if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
            raise ConfigError(f"{threads!r} threads were asked for; give a whole number from 1.")
        options.intra_op_num_threads = threads
    chosen = choose_providers(wanted)
    try:
        session = runtime.InferenceSession(model, options, providers=chosen)
        _read_texts(session)
    except Exception as error:  # ONNX Runtime's exceptions share no public base class
        raise TowerError(f"{where} is not a readable ONNX file ({first_line(error)}).") from error
    running = list(session.get_providers())
    if wanted is not None and running[:1] != chosen[:1]:
        raise ConfigError(
            f"{short_name(chosen[0])} was asked for, but ONNX Runtime could not start it here and took "
            f"{short_name(running[0])}; see emotions doctor, or leave the choice open."
        )
    return session


def _read_texts(session: Any) -> None:
    """Read what a model says of itself, so that texts which are no UTF-8 are met here."""
    for node in (*session.get_inputs(), *session.get_outputs()):
        _ = node.name, node.type, node.shape
    _ = session.get_modelmeta().custom_metadata_map
