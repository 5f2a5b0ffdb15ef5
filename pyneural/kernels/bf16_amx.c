/* Products in bfloat16 by AMX: one instruction multiplies a tile of 16 rows of 16 pairs with one of 16 pairs of 16
 * columns. Four tiles of sums share two tiles of A and two of B. */
#define K_UNIT 32
#include "dispatch.h"
#include <immintrin.h>
#ifdef AMX_EMULATED
#include "amx_emulated.h"
#endif
static void begin(void);
#define end() _tile_release()
static void tile(index_t height, index_t width, index_t pairs, const uint32_t *a, index_t lda, const uint32_t *panel,
                 origin from, float *c, index_t ldc, int whole);
#include "bf16.h"

/* Every tile is 16 rows of 64 bytes. The configuration is the thread's own, so each product begins with it. */
static void begin(void) {
    static const struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } whole = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
    _tile_loadconfig(&whole);
}

/* 16 or 32 rows by 16 or 32 columns of sums. */
static void squares(int lower, int right, index_t pairs, const pair *a, index_t lda, const pair *panel, origin from,
                    float *c, index_t ldc) {
    const size_t row_a = sizeof(pair) * lda, row_b = sizeof(pair) * (right ? 32 : 16), row_c = sizeof(float) * ldc;
    /* to GCC a tile's load is given an address, and reads nothing: what lies there must be written before */
    __asm__ volatile("" ::"r"(a), "r"(panel), "r"(from.at), "r"(c) : "memory");
    if (from.at) {
        const size_t row = sizeof(float) * from.stride;
        _tile_loadd(0, from.at, row);
        if (right) _tile_loadd(1, from.at + 16, row);
        if (lower) _tile_loadd(2, from.at + 16 * from.stride, row);
        if (lower && right) _tile_loadd(3, from.at + 16 * from.stride + 16, row);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    for (index_t p = 0; p < pairs; p += 16) {
        const pair *b = panel + p * (right ? 32 : 16);
        _tile_loadd(4, a + p, row_a);
        _tile_loadd(6, b, row_b);
        _tile_dpbf16ps(0, 4, 6);
        if (right) {
            _tile_loadd(7, b + 16, row_b);
            _tile_dpbf16ps(1, 4, 7);
        }
        if (lower) {
            _tile_loadd(5, a + 16 * lda + p, row_a);
            _tile_dpbf16ps(2, 5, 6);
            if (right) _tile_dpbf16ps(3, 5, 7);
        }
    }
    _tile_stored(0, c, row_c);
    if (right) _tile_stored(1, c + 16, row_c);
    if (lower) _tile_stored(2, c + 16 * ldc, row_c);
    if (lower && right) _tile_stored(3, c + 16 * ldc + 16, row_c);
}

/* Tiles are whole: sums of fewer rows or columns go by way of a square of their own. The rows of a beyond `height`
 * are whatever the block held before; their sums are not used. */
static void tile(index_t height, index_t width, index_t pairs, const pair *a, index_t lda, const pair *panel,
                 origin from, float *c, index_t ldc, int whole) {
    const int lower = height > 16, right = width > 16;
    if (whole || (height % 16 == 0 && width % 16 == 0)) {
        squares(lower, right, pairs, a, lda, panel, from, c, ldc);
        return;
    }
    ALIGNED float sums[32 * 32];
    for (index_t i = 0; from.at && i < height; i++)
        for (index_t v = 0; v < width; v += 16)
            store_f32(sums + 32 * i + v, load_first_f32(from.at + i * from.stride + v, width - v));
    squares(lower, right, pairs, a, lda, panel, (origin){from.at ? sums : NULL, 32}, sums, 32);
    for (index_t i = 0; i < height; i++)
        for (index_t v = 0; v < width; v += 16)
            store_first_f32(c + i * ldc + v, load_f32(sums + 32 * i + v), width - v);
}

#ifdef AMX_EMULATED
const bf16_products bf16_amx_emulated = {"amx_emulated", bf16_product, bf16_pack, bf16_times};
#else
const bf16_products bf16_amx = {"amx_bf16", bf16_product, bf16_pack, bf16_times};
#endif
