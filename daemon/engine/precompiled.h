// Compiled once for the whole engine: ATen is most of what its files would otherwise parse again and again.
#pragma once

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cstdint>
#include <string>
#include <vector>
