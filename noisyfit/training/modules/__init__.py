"""Networks: the default ones, and how any is built for the data at hand."""

from noisyfit.training.modules.build import build_module
from noisyfit.training.modules.convolution import ConvolutionNet
from noisyfit.training.modules.mlp import MLP, SparseLinear

__all__ = ["MLP", "ConvolutionNet", "SparseLinear", "build_module"]
