// Everything a kernel sees; module.py puts it in front of the source.
#pragma once

#include "arithmetic.h"
#include "intrinsics.h"
#include "language.h"
#include "tensor.h"
