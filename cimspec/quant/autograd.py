"""What functions with a gradient of their own are made from."""

from typing import Any

import torch

Function: Any = torch.autograd.Function  # torch does not type it
