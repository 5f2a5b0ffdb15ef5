/* Products in bfloat16 by AVX512-BF16: vdpbf16ps adds 16 sums of two products each. */
#define K_UNIT 2
#define begin()
#define end()
#include "dispatch.h"
#include <immintrin.h>
static void tile(index_t height, index_t width, index_t pairs, const uint32_t *a, index_t lda, const uint32_t *panel,
                 origin from, float *c, index_t ldc, int whole);
#include "bf16.h"

/* `rows` x `vectors` vectors of results, the last one `last` columns wide. */
ALWAYS_INLINE void registers(const int rows, const int vectors, index_t pairs, const pair *a, index_t lda,
                             const pair *panel, origin from, float *c, index_t ldc, index_t last) {
    __m512 sum[8][2];
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++) sum[i][v] = _mm512_setzero_ps(), PREFETCH(c + i * ldc + 16 * v);
    for (index_t p = 0; p < pairs; p++, a++, panel += 16 * vectors) {
        __m512bh b[2];
        for (int v = 0; v < vectors; v++) b[v] = (__m512bh)_mm512_loadu_si512(panel + 16 * v);
        for (int i = 0; i < rows; i++) {
            const __m512bh both = (__m512bh)_mm512_set1_epi32((int)a[i * lda]);
            for (int v = 0; v < vectors; v++) sum[i][v] = _mm512_dpbf16_ps(sum[i][v], both, b[v]);
        }
    }
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++) {
            const index_t n = v < vectors - 1 ? 16 : last;
            if (from.at) sum[i][v] += (__m512)load_first_f32(from.at + i * from.stride + 16 * v, n);
            store_first_f32(c + i * ldc + 16 * v, (vec_f32)sum[i][v], n);
        }
}

static void tile(index_t height, index_t width, index_t pairs, const pair *a, index_t lda, const pair *panel,
                 origin from, float *c, index_t ldc, int whole) {
    const int vectors = width > 16 ? 2 : 1;
    const index_t last = width - 16 * (vectors - 1);
    for (index_t i = 0; i < height; i += 8, a += 8 * lda, c += 8 * ldc) {
        const index_t rows = height - i < 8 ? height - i : 8;
#define TILE(r, v)                                                                                                     \
    case (r) * 2 + (v) - 1:                                                                                            \
        registers(r, v, pairs, a, lda, panel, start_at(from, i, 0), c, ldc, last);                                     \
        break;
#define TILES(r) TILE(r, 1) TILE(r, 2)
        switch (rows * 2 + vectors - 1) {
            TILES(1)
            TILES(2)
            TILES(3)
            TILES(4)
            TILES(5)
            TILES(6)
            TILES(7)
            TILES(8)
        }
#undef TILES
#undef TILE
    }
}

const bf16_products bf16_avx512 = {"avx512_bf16", bf16_product, bf16_pack, bf16_times};
