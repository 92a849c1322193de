"""Log-probabilities of texts, from a model of transformers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from cwm.core.errors import ConfigError
from cwm.llm.local.loading import LoadedModel
from cwm.llm.local.packages import LazyPackage, memory_errors
from cwm.llm.local.prefixes import PromptEncoder
from cwm.llm.local.templates import ChatTemplate
from cwm.llm.local.tokenizing import tokenize
from cwm.llm.local.trees import TokenTree, tree_log_probs
from cwm.llm.scoring import ScoringRequest, TokenLogProbs

torch = LazyPackage("torch")

_LESS_MEMORY = "Take smaller scoring_block_tokens or shorter prompts."
_CHECK_TOKENS = 8
_CHECK_TOLERANCE = {"float32": 0.01}
_CHECK_TOLERANCE_ROUNDED = 0.5


@dataclass(slots=True, kw_only=True, eq=False)
class _Text:
    """A prompt with one continuation.

    Attributes:
        token_ids: All its tokens.
        start: Where the continuation begins.
        log_probs: What was found for the tokens from `start` on.
    """

    token_ids: tuple[int, ...]
    start: int
    log_probs: npt.NDArray[np.float32]


class TransformersScorer:
    """Scores texts in as few passes as their common beginnings allow.

    What all texts of a call begin with is encoded once; the rest is a tree of tokens
    in which no beginning occurs twice, seen by the model in one pass for each
    `block_tokens` nodes.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        template: ChatTemplate,
        encoder: PromptEncoder,
        *,
        block_tokens: int,
    ) -> None:
        """Makes the scorer.

        Args:
            loaded: The model.
            template: Its chat template.
            encoder: Encodes common beginnings with the same model.
            block_tokens: As `LocalConfig.scoring_block_tokens`.
        """
        self._loaded = loaded
        self._template = template
        self._encoder = encoder
        self._block_tokens = block_tokens
        self._is_checked = False

    def score(
        self,
        requests: Sequence[ScoringRequest],
        *,
        end_of_turn: bool,
        alone: Callable[[Callable[[], None]], None],
    ) -> list[list[TokenLogProbs]]:
        """Returns the log-probabilities of every continuation of every request.

        Args:
            requests: What is to be scored.
            end_of_turn: As in `ScoringModel.log_probs`.
            alone: Calls what it is given while nobody else uses the model.

        Raises:
            ValueError: If a continuation merges with the prompt's last token.
            LLMError: If a text does not fit into the context.
            ConfigError: If the model's attention does not allow for it.
        """
        texts = [self._texts(request, end_of_turn) for request in requests]
        for group in self._groups(texts):
            alone(partial(self._score_group, group))
        return [[self._result(text) for text in of_request] for of_request in texts]

    def _texts(self, request: ScoringRequest, end_of_turn: bool) -> list[_Text]:
        found = tokenize(self._loaded, self._template, request, end_of_turn=end_of_turn)
        return [
            _Text(
                token_ids=text.token_ids,
                start=text.start,
                log_probs=np.zeros(text.num_scored, dtype=np.float32),
            )
            for text in found
        ]

    def _groups(self, texts: Sequence[Sequence[_Text]]) -> list[list[_Text]]:
        """Returns the texts in groups, each of which shares one encoded beginning.

        A long prompt with several continuations is one by itself. All others are one
        group together: it shares less, but its passes are full.
        """
        scored = [[t for t in group if len(t.log_probs)] for group in texts]
        shared = _num_shared([text for group in scored for text in group])
        apart, together = [], []
        for group in scored:
            is_long = group and group[0].start - shared > self._block_tokens // 4
            if is_long and len(group) > 1:
                apart.append(group)
            else:
                together += group
        return [*([together] if together else []), *apart]

    def _score_group(self, texts: Sequence[_Text]) -> None:
        with memory_errors(_LESS_MEMORY), torch.inference_mode():
            if not self._is_checked:
                self._check_model(texts[0].token_ids)
                self._is_checked = True
            shared = _num_shared(texts)
            # The encoder looks up and keeps blocks, so that calls share them, too.
            layers = (
                self._encoder.encode(texts[0].token_ids[:shared])[0] if shared else []
            )
            tree, waiting = TokenTree(), list[_Text]()
            for text in sorted(texts, key=lambda text: text.token_ids):
                size = len(tree) + tree.num_new(text.token_ids[shared:-1])
                if waiting and size > self._block_tokens:
                    self._score_tree(layers, tree, waiting, shared)
                    tree, waiting = TokenTree(), []
                tree.add(text.token_ids[shared:-1])
                waiting.append(text)
            self._score_tree(layers, tree, waiting, shared)

    def _score_tree(
        self, layers: Any, tree: TokenTree, texts: Sequence[_Text], shared: int
    ) -> None:
        targets: list[tuple[int, int]] = []
        for text in texts:
            path = tree.add(text.token_ids[shared:-1])[text.start - shared - 1 :]
            targets += zip(path, text.token_ids[text.start :], strict=True)
        given = tree_log_probs(self._loaded.model, layers, tree, targets)
        found = given.cpu().numpy()
        for text in texts:
            text.log_probs, found = np.split(found, [len(text.log_probs)])

    def _check_model(self, token_ids: Sequence[int]) -> None:
        """Checks once that a branch gives what the sequence alone gives.

        Models that derive positions from the mask alone take no trees.

        Raises:
            ConfigError: If it does not.
        """
        model = self._loaded.model
        head = list(token_ids[:_CHECK_TOKENS])
        one, other = [*head, *head[:2]], [*head, *head[2:4], *head]
        tree = TokenTree()
        tree.add(other)
        path = tree.add(one)
        targets = list(zip(path, one[1:], strict=False))
        try:
            found = tree_log_probs(model, [], tree, targets).cpu().numpy()
        except torch.OutOfMemoryError:
            raise
        except (ValueError, RuntimeError, TypeError) as error:
            raise self._no_trees("an attention that takes no mask of ours") from error
        logits = model(input_ids=torch.tensor([one], device=model.device)).logits[0]
        alone = logits.float().log_softmax(dim=-1)[:-1]
        expected = alone.gather(-1, torch.tensor(one[1:], device=model.device)[:, None])
        difference = np.abs(found - expected[:, 0].cpu().numpy()).max()
        dtype = str(model.dtype).removeprefix("torch.")
        if not difference <= _CHECK_TOLERANCE.get(dtype, _CHECK_TOLERANCE_ROUNDED):
            raise self._no_trees(f"log-probabilities {difference:.2g} apart")

    def _no_trees(self, found: str) -> ConfigError:
        return ConfigError(
            f"{self._loaded.name} must see a tree of texts as it sees each alone to "
            f"score, got {found}. Take a model with rotary or learned positions."
        )

    def _result(self, text: _Text) -> TokenLogProbs:
        ids = text.token_ids[text.start :]
        names = self._loaded.tokenizer.convert_ids_to_tokens(list(ids))
        return TokenLogProbs(
            token_ids=ids, tokens=tuple(names), log_probs=text.log_probs
        )


def _num_shared(texts: Sequence[_Text]) -> int:
    """Returns how many tokens all texts begin with, before the last of any prompt."""
    if not texts:
        return 0
    # What the first and the last in order share is shared by all between.
    first = min(text.token_ids for text in texts)
    last = max(text.token_ids for text in texts)
    limit = min(text.start for text in texts) - 1
    for index, (one, other) in enumerate(zip(first, last, strict=False)):
        if one != other or index == limit:
            return index
    return limit
