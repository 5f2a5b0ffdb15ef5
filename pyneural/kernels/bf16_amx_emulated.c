/* AMX's products on processors without it, for the tests. A file of its own, as each object is named after its source. */
#define AMX_EMULATED
#include "bf16_amx.c"
