"""Task `classify`: which class a clip belongs to."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vidgru.tasks.classify.results import Scores

LABEL_SMOOTHING = 0.1


def smallest_loss(classes: int) -> float:
    """Return the minimum of label-smoothed cross-entropy: the targets' own entropy."""
    wrong = LABEL_SMOOTHING / classes
    right = 1 - LABEL_SMOOTHING + wrong
    return -right * math.log(right) - (classes - 1) * wrong * math.log(wrong)


class Classify:
    """Target, loss, and metrics for classes; one logit of the network a label."""

    name = "classify"

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)
        self.outputs = len(self.labels)

    def targets(self, labels: Sequence[str]) -> Tensor:
        """Return class numbers int64 (B,)."""
        return torch.tensor([self.labels.index(label) for label in labels])

    def weights(self, targets: Tensor) -> Tensor:
        """Return class weights (K,) that balance the classes in the loss."""
        counts = torch.bincount(targets, minlength=self.outputs).float()
        return len(targets) / (self.outputs * counts.clamp_min(1))

    def loss(self, outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Return the label-smoothed cross-entropy of a clip's last outputs (B, T, K)."""
        return functional.cross_entropy(
            outputs[:, -1], targets, weight=weights, label_smoothing=LABEL_SMOOTHING
        )

    def share(self, part: Tensor, whole: Tensor, weights: Tensor) -> Tensor:
        """Return the factor for the loss of a part of a batch; the products sum to its loss.

        part, whole: targets int64 (b,) of the part, (B,) of the batch.
        """
        return weights[part].sum() / weights[whole].sum()

    def scores(self, probabilities: Tensor, targets: Tensor) -> Scores:
        """Return the scores of probabilities (N, K) for targets (N,)."""
        confusion = np.zeros((self.outputs, self.outputs), dtype=int)
        np.add.at(confusion, (targets.numpy(), probabilities.argmax(1).numpy()), 1)
        counts, right = confusion.sum(1), confusion.diagonal()
        present = counts > 0
        recall = {
            label: float(right[k] / counts[k]) if counts[k] else None
            for k, label in enumerate(self.labels)
        }
        true = probabilities[torch.arange(len(targets)), targets]
        return Scores(
            labels=self.labels,
            accuracy=float(right.sum() / counts.sum()),
            balanced=float((right[present] / counts[present]).mean()),
            loss=float(-true.clamp_min(1e-12).log().mean()),
            recall=recall,
            count={label: int(counts[k]) for k, label in enumerate(self.labels)},
            confusion=tuple(tuple(int(n) for n in row) for row in confusion),
        )
