#define ISA baseline
#include "instantiate.h"
