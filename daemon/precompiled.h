// Compiled once for the parts of the daemon: what most of their files would otherwise parse again and again.
// No file may rely on it: the asan preset builds without.
#pragma once

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>
