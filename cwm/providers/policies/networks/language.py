"""A language model as policy and value: GLAM's agent."""

from collections.abc import Sequence
from typing import Any

from cwm.llm.local.packages import LazyPackage, Tensor
from cwm.llm.local.training import random_numbers
from cwm.providers.policies.networks.base import Evaluated
from cwm.providers.policies.networks.config import NetworkConfig
from cwm.providers.policies.networks.heads import make_head
from cwm.providers.policies.networks.weights import restore_weights
from cwm.providers.policies.scoring.scorer import ActionScorer
from cwm.providers.policies.views import View
from prompts.glam import ENGLISH, PromptWording, short_prompt

torch = LazyPackage("torch")


class LanguageNetwork:
    """Probabilities of actions from the scores of their words, and a value.

    The policy is a softmax over the scores of the actions (Carta et al., section 3.2),
    or over the outputs of a head; the value is a head on the hidden state from which
    the first word of an action is predicted.

    Args:
        name: What it is, for reports.
        model: A model of transformers in evaluation mode, which it stays in: dropout
            would part what acts from what is trained.
        tokens: Its tokenizer.
        config: How scores become a policy; `window` and `prompt` must be given.
        num_actions: For a head of actions.
        seed: Of the heads' first weights.
        detaches_value: Whether the value's loss leaves the model alone.

    Attributes:
        wording: What stands around goal and observations in the published prompt.
        needs_images: No.
    """

    needs_images = False

    def __init__(
        self,
        name: str,
        model: Any,
        tokens: Any,
        config: NetworkConfig,
        *,
        num_actions: int,
        seed: int,
        detaches_value: bool,
    ) -> None:
        self.name, self.wording = name, ENGLISH
        self._model, self._config, self._detaches = model, config, detaches_value
        self._scorer = ActionScorer(model, tokens, config.scoring)
        size = int(model.config.get_text_config(decoder=True).hidden_size)
        assert config.head_width is not None, "complete fills it in"
        shape: dict[str, Any] = {
            "width": config.head_width,
            "activation": config.head_activation,
        }
        with random_numbers(model.device, seed):
            self._value = make_head(size, 1, **shape).to(model.device)
            self._actions = None
            if config.head == "actions":
                self._actions = make_head(size, num_actions, **shape).to(model.device)
        parts = {"model": model, "value": self._value}
        if self._actions is not None:
            parts["actions"] = self._actions
        self.module = torch.nn.ModuleDict(parts)

    @property
    def num_trained(self) -> int:
        """Numbers that training changes."""
        return sum(w.numel() for w in self.module.parameters() if w.requires_grad)

    def prompt(self, view: View) -> str:
        """Returns what the model reads."""
        if self._config.prompt == "short":
            history = view.history
            return short_prompt(view.goal, history.observations, history.actions_done)
        return view.prompt(self.wording)

    def evaluate(self, views: Sequence[View]) -> Evaluated:
        """Returns probabilities and values; see `PolicyNetwork`.

        Raises:
            LLMError: If a prompt does not fit into the model's context.
        """
        prompts = [self.prompt(view) for view in views]
        # What looks alike is computed once: in a small world much does.
        distinct = list(dict.fromkeys(prompts))
        log_probs, values = self._evaluate(distinct, views[0].actions)
        if len(distinct) < len(prompts):
            place = {prompt: index for index, prompt in enumerate(distinct)}
            index = torch.tensor([place[p] for p in prompts], device=values.device)
            log_probs, values = log_probs[index], values[index]
        return Evaluated(log_probs=log_probs, values=values)

    def _evaluate(
        self, prompts: Sequence[str], actions: Sequence[str]
    ) -> tuple[Tensor, Tensor]:
        if self._actions is None:
            scores, hidden = self._scorer(prompts, actions)
        else:
            hidden = self._scorer.hidden(prompts).float()
            scores = self._actions(hidden)
        hidden = hidden.float()
        if self._detaches:
            hidden = hidden.detach()
        log_probs = (scores.float() / self._config.temperature).log_softmax(dim=-1)
        return log_probs, self._value(hidden)[:, 0]

    def check(self, view: View) -> None:
        """Checks that the model scores actions as it would score each alone.

        Raises:
            ConfigError: If its attention does not allow for it.
        """
        if self._actions is None:
            self._scorer.check(self.prompt(view), view.actions)

    def tell(self, wording: PromptWording) -> None:
        """Changes what stands around goal and observations."""
        self.wording = wording

    def value_parameters(self) -> list[Any]:
        """Returns the weights of the value's head."""
        return list(self._value.parameters())

    def saved(self) -> dict[str, Tensor]:
        """Returns the weights that training changes, by name."""
        return {
            name: weight.detach()
            for name, weight in self.module.named_parameters()
            if weight.requires_grad
        }

    def restore(self, weights: dict[str, Tensor]) -> None:
        """Takes weights that `saved` gave.

        Raises:
            ValueError: If they are of another network.
        """
        restore_weights(self.saved(), weights)
