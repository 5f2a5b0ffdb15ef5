#define ISA avx512
#include "instantiate.h"
