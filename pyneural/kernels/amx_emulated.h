/* AMX's tiles in plain C, for testing bf16_amx.c on a processor without them (built with PYNEURAL_DEBUG=1). Every tile
 * is 16 rows of 64 bytes, as bf16_amx.c configures them. */
#include <string.h>

static _Thread_local uint32_t emulated_tiles[8][16][16];

static inline float of_bf16(uint32_t bits) {
    float x;
    bits <<= 16;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline void emulated_load(int tile, const void *from, size_t stride) {
    for (int i = 0; i < 16; i++) memcpy(emulated_tiles[tile][i], (const char *)from + i * stride, 64);
}

static inline void emulated_store(int tile, void *to, size_t stride) {
    for (int i = 0; i < 16; i++) memcpy((char *)to + i * stride, emulated_tiles[tile][i], 64);
}

static inline void emulated_product(int c, int a, int b) {
    for (int i = 0; i < 16; i++)
        for (int p = 0; p < 16; p++)
            for (int j = 0; j < 16; j++) {
                const uint32_t x = emulated_tiles[a][i][p], y = emulated_tiles[b][p][j];
                float sum;
                memcpy(&sum, &emulated_tiles[c][i][j], sizeof sum);
                sum += of_bf16(x & 0xffff) * of_bf16(y & 0xffff) + of_bf16(x >> 16) * of_bf16(y >> 16);
                memcpy(&emulated_tiles[c][i][j], &sum, sizeof sum);
            }
}

#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbf16ps
#undef _tile_zero
#undef _tile_loadconfig
#undef _tile_release
#define _tile_loadconfig(config) ((void)(config))
#define _tile_release() ((void)0)
#define _tile_loadd(tile, from, stride) emulated_load(tile, from, stride)
#define _tile_stored(tile, to, stride) emulated_store(tile, to, stride)
#define _tile_zero(tile) memset(emulated_tiles[tile], 0, sizeof emulated_tiles[tile])
#define _tile_dpbf16ps(c, a, b) emulated_product(c, a, b)
