#define ISA avx2
#include "instantiate.h"
