# SPDX-License-Identifier: Apache-2.0
"""The one exception hierarchy: every error says what was seen, what was wanted, what to do."""


class Sam3dError(Exception):
    """Base of every error this project raises on purpose.

    :param seen: what was found, with its place (topic, file, field).
    :param wanted: what would have been right.
    :param remedy: what the reader can type or change; a sentence.
    """

    def __init__(self, seen: str, *, wanted: str = '', remedy: str = '') -> None:
        self.seen = seen
        self.wanted = wanted
        self.remedy = remedy
        parts = [seen]
        if wanted:
            parts.append(f'wanted {wanted}')
        text = '; '.join(parts)
        super().__init__(f'{text}. {remedy}' if remedy else text)


class InputError(Sam3dError):
    """A sensor message or array that cannot be used: encoding, size, step, intrinsics."""


class RecordingError(Sam3dError):
    """A recording that cannot be read, or whose topics do not make an RGB-D stream."""


class ConfigurationError(Sam3dError):
    """A configuration value that is unknown, of the wrong type or out of range."""


class BackendError(Sam3dError):
    """A stage backend that does not exist, cannot be loaded or cannot serve a request."""


class PromptError(Sam3dError):
    """A prompt that is malformed, or that the chosen backend cannot serve."""


class TransformError(Sam3dError):
    """A transform that is missing, too old or not rigid."""


class NotFoundError(Sam3dError):
    """A request for something that is not there."""


class NotReadyError(Sam3dError):
    """A request that needs data or a node that is not there yet."""
