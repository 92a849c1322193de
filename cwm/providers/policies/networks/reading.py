"""What must be known to read a trained network again, perhaps on another machine."""

from dataclasses import replace

from cwm.llm.local.config import DeviceConfig
from cwm.llm.local.loading import ModelSource, prepare_device
from cwm.llm.local.packages import require_packages
from cwm.providers.policies.networks.making import is_pretrained


def base_weights(policy: str) -> str:
    """Returns a fingerprint of the model that a policy begins as.

    Returns:
        A hash of its files; empty for an id of the hub, and where weights are new.

    Raises:
        ConfigError: If there is no such policy, file or folder.
        PrerequisiteError: If a package is missing.
    """
    if not is_pretrained(policy):
        return ""
    kind, _, text = policy.partition(":")
    if kind == "gguf":
        return ModelSource.from_gguf(text).fingerprint()
    return ModelSource.from_hub_or_folder(text).fingerprint()


def on_this_machine(trained: DeviceConfig) -> DeviceConfig:
    """Returns settings that read what was trained with others, on any device.

    The weights are the same everywhere; the number type stays if the kind of device
    does. Sets the number of threads of torch for the whole process.

    Raises:
        PrerequisiteError: If a package is missing.
    """
    require_packages(gguf=False)
    found = replace(trained, device="auto")
    trained_on = trained.device.partition(":")[0]
    if trained_on in ("auto", prepare_device(found).type):
        return found
    return replace(found, dtype="auto")
