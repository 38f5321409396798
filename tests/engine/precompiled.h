// As tests/precompiled.h, for the tests of what links LibTorch.
#pragma once

#include <ATen/ATen.h>

#include "../precompiled.h"
