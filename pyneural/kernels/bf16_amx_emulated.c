/* AMX's products on processors without it, for the tests: a file of its own, as objects have their source's name. */
#define AMX_EMULATED
#include "bf16_amx.c"
