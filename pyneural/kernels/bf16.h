/* Products in bfloat16: C (M, N) = C0 + A (M, K) B (K, N), operands rounded to 8 bits of mantissa, sums kept in
 * float32.
 *
 * The processor multiplies pairs: a 32-bit number holds two neighbours along k, and one instruction adds the products
 * of both. So A becomes rows of pairs, (i, k / 2), and B panels of BF16_PANEL columns of pairs, (k / 2, j), zeros
 * filling k to a multiple of K_UNIT and j to one of 16. What includes this (bf16_avx512.c, bf16_amx.c) defines K_UNIT
 * and the tile: BF16_ROWS x BF16_PANEL results, kept in registers for all of k. */
#include "dispatch.h"
#include <string.h>
#define REAL float
#define DOUBLE 0
#define FN(name) name##_f32
#include "vectors.h"

enum { BF16_ROWS = 32, BF16_PANEL = 32, BF16_DEPTH = 640, BF16_COLUMNS = 512 };
typedef uint32_t pair;

static inline index_t up_to(index_t n, index_t unit) { return (n + unit - 1) / unit * unit; }

/* The parts in which K is gone through; all but the last are as deep. */
static inline index_t bf16_depth(index_t K) {
    const index_t parts = (K + BF16_DEPTH - 1) / BF16_DEPTH;
    return up_to((K + parts - 1) / parts, K_UNIT);
}

/* 16 pairs of x[k] and y[k], rounded to nearest even. */
ALWAYS_INLINE __m512i pairs_of(__m512 x, __m512 y) {
    const __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(x));
    return _mm512_or_si512(low, _mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(y)), 16));
}

/* `count` numbers in a row as (count + 1) / 2 pairs, zeros after them: 16 pairs. */
ALWAYS_INLINE __m512i pairs_along(const float *x, index_t count) {
    const __m512 low = (__m512)load_first_f32(x, count > 16 ? 16 : count);
    const __m512 high = count > 16 ? (__m512)load_first_f32(x + 16, count - 16) : _mm512_setzero_ps();
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

/* The pairs (i, k / 2) of x(i, k) = x[i * down + k * along], `height` rows of K numbers, to rows `ldto` pairs apart;
 * zeros fill k up to a multiple of K_UNIT. Either down or along is 1. */
static void pairs_by_row(index_t height, index_t K, const float *x, index_t down, index_t along, pair *to,
                         index_t ldto) {
    const index_t pairs = up_to(K, K_UNIT) / 2;
    if (along == 1) {
        for (index_t i = 0; i < height; i++) {
            const float *row = x + i * down;
            pair *out = to + i * ldto;
            index_t p = 0;
            for (; 2 * p + 32 <= K; p += 16) _mm512_storeu_si512(out + p, pairs_along(row + 2 * p, 32));
            for (; p < pairs; p += 16)
                store_first_f32((float *)(out + p), (vec_f32)pairs_along(row + 2 * p, K > 2 * p ? K - 2 * p : 0),
                                pairs - p);
        }
        return;
    }
    for (index_t p = 0; p < pairs; p += 16)
        for (index_t i = 0; i < height; i += 16) {
            const index_t here = height - i < 16 ? height - i : 16;
            float square[16 * 16] ALIGNED;
            for (index_t k = 0; k < 16; k++) {
                const float *row = x + i + 2 * (p + k) * along;
                const index_t left = K - 2 * (p + k);
                _mm512_store_si512(
                    square + 16 * k,
                    pairs_of(left > 0 ? (__m512)load_first_f32(row, here) : _mm512_setzero_ps(),
                             left > 1 ? (__m512)load_first_f32(row + along, here) : _mm512_setzero_ps()));
            }
            float turned[16 * 16] ALIGNED;
            turn_f32(16, 16, square, 1, 16, turned, 16);
            for (index_t r = 0; r < here; r++)
                store_first_f32((float *)(to + (i + r) * ldto + p), load_f32(turned + 16 * r), pairs - p);
        }
}

/* One panel of B: the pairs (k / 2, j) of b(k, j) = b[k * down + j * along]; width <= BF16_PANEL. */
static void pack_panel(index_t K, index_t width, const float *b, index_t down, index_t along, pair *panel) {
    const index_t padded = up_to(width, 16), pairs = up_to(K, K_UNIT) / 2;
    if (along == 1) {
        for (index_t p = 0; p < pairs; p++)
            for (index_t j = 0; j < padded; j += 16) {
                const float *row = b + 2 * p * down + j;
                const index_t left = K - 2 * p;
                _mm512_storeu_si512(
                    panel + p * padded + j,
                    pairs_of(left > 0 ? (__m512)load_first_f32(row, width - j) : _mm512_setzero_ps(),
                             left > 1 ? (__m512)load_first_f32(row + down, width - j) : _mm512_setzero_ps()));
            }
        return;
    }
    for (index_t j = 0; j < padded; j += 16)
        for (index_t p = 0; p < pairs; p += 16) {
            float square[16 * 16] ALIGNED;
            for (index_t c = 0; c < 16; c++)
                _mm512_store_si512(square + 16 * c, j + c < width && K > 2 * p
                                                        ? pairs_along(b + 2 * p + (j + c) * along, K - 2 * p)
                                                        : _mm512_setzero_si512());
            turn_f32(pairs - p, 16, square, 1, 16, (float *)panel + p * padded + j, padded);
        }
}

/* Where rows or columns of a product start. */
static inline origin start_at(origin from, index_t i, index_t j) {
    return (origin){from.at ? from.at + i * from.stride + j : NULL, from.stride};
}

/* C (height, N) for one block of at most BF16_ROWS rows of A and one part of k. */
static void block_product(index_t height, index_t N, index_t K, const pair *a, index_t lda, const pair *panels,
                          origin from, float *c, index_t ldc, int whole) {
    const index_t pairs = up_to(K, K_UNIT) / 2;
    for (index_t j = 0; j < N; j += BF16_PANEL) {
        const index_t width = N - j < BF16_PANEL ? N - j : BF16_PANEL;
        if (!whole && j + 2 * BF16_PANEL <= N) /* the next ones come from afar */
            for (index_t i = 0; i < height; i++)
                for (index_t v = 0; v < BF16_PANEL; v += 16) PREFETCH(c + i * ldc + j + BF16_PANEL + v);
        tile(height, width, pairs, a, lda, panels, start_at(from, 0, j), c + j, ldc, whole);
        panels += pairs * up_to(width, 16);
    }
}

static void rows_product(index_t M, index_t N, index_t K, const float *a, index_t down, index_t along,
                         const pair *panels, origin from, float *c, index_t ldc, int whole) {
    ALIGNED pair rows[BF16_ROWS * (BF16_DEPTH + K_UNIT) / 2];
    const index_t lda = up_to(K, K_UNIT) / 2;
    for (index_t i = 0; i < M; i += BF16_ROWS) {
        const index_t height = M - i < BF16_ROWS ? M - i : BF16_ROWS;
        pairs_by_row(height, K, a + i * down, down, along, rows, lda);
        block_product(height, N, K, rows, lda, panels, start_at(from, i, 0), c + i * ldc, ldc, whole);
    }
}

/* ---- what the table holds */

static void bf16_product(index_t M, index_t N, index_t K, const float *a, index_t a_down, index_t a_along,
                         const float *b, index_t b_down, index_t b_along, origin from, float *c, index_t ldc) {
    ALIGNED pair panels[BF16_COLUMNS * (BF16_DEPTH + K_UNIT) / 2];
    const index_t depth = bf16_depth(K);
    begin();
    for (index_t k = 0; k < K; k += depth) {
        const index_t deep = K - k < depth ? K - k : depth;
        for (index_t j0 = 0; j0 < N; j0 += BF16_COLUMNS) {
            const index_t columns = N - j0 < BF16_COLUMNS ? N - j0 : BF16_COLUMNS;
            for (index_t j = 0; j < columns; j += BF16_PANEL)
                pack_panel(deep, columns - j < BF16_PANEL ? columns - j : BF16_PANEL,
                           b + k * b_down + (j0 + j) * b_along, b_down, b_along, panels + up_to(deep, K_UNIT) / 2 * j);
            rows_product(M, columns, deep, a + k * a_along, a_down, a_along, panels,
                         k ? (origin){c + j0, ldc} : start_at(from, 0, j0), c + j0, ldc, 0);
        }
    }
    end();
}

static void bf16_pack(index_t K, index_t N, const float *b, index_t down, index_t along, float *packed) {
    pair *to = (pair *)packed;
    const index_t depth = bf16_depth(K);
    for (index_t k = 0; k < K; k += depth) {
        const index_t deep = K - k < depth ? K - k : depth;
        for (index_t j = 0; j < N; j += BF16_PANEL) {
            const index_t width = N - j < BF16_PANEL ? N - j : BF16_PANEL;
            pack_panel(deep, width, b + k * down + j * along, down, along, to);
            to += up_to(deep, K_UNIT) / 2 * up_to(width, 16);
        }
    }
}

static void bf16_times(index_t M, index_t N, index_t K, const float *a, index_t lda, const float *packed, origin from,
                       float *c, index_t ldc, int whole) {
    const pair *panels = (const pair *)packed;
    const index_t depth = bf16_depth(K);
    begin();
    for (index_t k = 0; k < K; k += depth) {
        const index_t deep = K - k < depth ? K - k : depth;
        rows_product(M, N, deep, a + k, lda, 1, panels, k ? (origin){c, ldc} : from, c, ldc, whole);
        panels += up_to(deep, K_UNIT) / 2 * up_to(N, 16);
    }
    end();
}
