/* Matrix products of small and medium size: C (M, N) = C0 + A (M, K) B (K, N), without BLAS.
 *
 * B is packed into panels of PANEL columns, K rows of one after the other, zeros filling the last: what the inner
 * loop reads is contiguous, and a matrix used many times (recurrent weights) is packed once. A is read where it lies,
 * a number at a time, so it may be transposed. The tile of ROWS x PANEL results stays in registers for all of K. */

#ifndef PYNEURAL_PRODUCT
#define PYNEURAL_PRODUCT
#if defined(__AVX512F__) || defined(__aarch64__) /* 32 vector registers, or 16 */
enum { TILE_ROWS = 8 };
#else
enum { TILE_ROWS = 4 };
#endif
enum {
    TILE_VECTORS = 3,
    DEPTH = 256, /* a panel of so many rows stays near: in the first cache or the second */
    IN_PLACE_ROWS = 32,
    BLOCK_ROWS = 64,          /* so do this many rows of A and of C, while all panels pass */
    PACKED_BYTES = 256 * 1024 /* of B are packed at a time */
};
#endif
#define PANEL (TILE_VECTORS * LANES)
#undef HAS_BF16
#define HAS_BF16(wanted) (!DOUBLE && (wanted) && kernels_bf16 != NULL)

/* Where the sums of a product start: at zero (NULL), at C itself, or at a row of biases (stride 0). */
typedef struct {
    const REAL *at;
    index_t stride;
} FN(origin);

/* C rows [0, rows) x `vectors` vectors, of which the last holds `last` columns. a(i, k) = a[i * down + k * along]. */
ALWAYS_INLINE void FN(tile)(const int rows, const int vectors, index_t K, const REAL *a, index_t down, index_t along,
                            const REAL *b, index_t ldb, FN(origin) from, REAL *c, index_t ldc, index_t last) {
    FN(vec) sum[TILE_ROWS][TILE_VECTORS];
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++) {
            sum[i][v] = FN(zero)();
            PREFETCH(c + i * ldc + v * LANES); /* C comes from afar, and is wanted only when the sums are done */
        }
    for (index_t k = 0; k < K; k++, a += along, b += ldb) {
        FN(vec) row[TILE_VECTORS];
        for (int v = 0; v < vectors; v++) row[v] = FN(load)(b + v * LANES);
        for (int i = 0; i < rows; i++)
            for (int v = 0; v < vectors; v++) sum[i][v] += a[i * down] * row[v];
    }
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++) {
            const index_t n = v < vectors - 1 ? LANES : last;
            if (from.at) sum[i][v] += FN(load_first)(from.at + i * from.stride + v * LANES, n);
            FN(store_first)(c + i * ldc + v * LANES, sum[i][v], n);
        }
}

/* The same for sizes known only now: one compiled tile for each. */
static void FN(tile_of)(index_t rows, index_t vectors, index_t K, const REAL *a, index_t down, index_t along,
                        const REAL *b, index_t ldb, FN(origin) from, REAL *c, index_t ldc, index_t last) {
#define TILE(r, v)                                                                                                     \
    case (r) * 4 + (v):                                                                                                \
        FN(tile)(r, v, K, a, down, along, b, ldb, from, c, ldc, last);                                                 \
        break;
#define TILES(r) TILE(r, 1) TILE(r, 2) TILE(r, 3)
    switch (rows * 4 + vectors) {
        TILES(1)
        TILES(2)
        TILES(3)
        TILES(4)
#if defined(__AVX512F__) || defined(__aarch64__)
        TILES(5)
        TILES(6)
        TILES(7)
        TILES(8)
#endif
    }
#undef TILES
#undef TILE
}

/* C (M, N) from panels of B: the rows in blocks of nearly equal height, as many to a tile as registers hold. ldb is 0
 * for panels that are packed; where B is read as it lies, all panels whole, it is the distance of its rows. */
static void FN(panels_product)(index_t M, index_t N, index_t K, const REAL *a, index_t down, index_t along,
                               const REAL *panel, index_t ldb, FN(origin) from, REAL *c, index_t ldc) {
    const index_t blocks = (M + TILE_ROWS - 1) / TILE_ROWS;
    for (index_t j = 0; j < N; j += PANEL) {
        const index_t width = N - j < PANEL ? N - j : PANEL, vectors = (width + LANES - 1) / LANES;
        for (index_t block = 0, i = 0; block < blocks; block++) {
            const index_t rows = (M - i + blocks - block - 1) / (blocks - block);
            const FN(origin) here = {from.at ? from.at + i * from.stride + j : NULL, from.stride};
            FN(tile_of)(rows, vectors, K, a + i * down, down, along, panel, ldb ? ldb : vectors * LANES, here,
                        c + i * ldc + j, ldc, width - (vectors - 1) * LANES);
            i += rows;
        }
        panel += ldb ? PANEL : K * vectors * LANES;
    }
}

/* B (K, N), b(k, j) = b[k * down + j * along], as panels. */
static void FN(pack_panels)(index_t K, index_t N, const REAL *b, index_t down, index_t along, REAL *panels) {
    if (along == 1) {
        for (index_t k = 0; k < K; k++)
            for (index_t j = 0; j < N; j += PANEL) {
                const index_t width = N - j < PANEL ? N - j : PANEL, padded = (width + LANES - 1) / LANES * LANES;
                for (index_t v = 0; v < width; v += LANES)
                    FN(store)(panels + K * j + k * padded + v, FN(load_first)(b + k * down + j + v, width - v));
            }
        return;
    }
    /* columns of B are rows in memory: square blocks are turned in registers */
    for (index_t j = 0; j < N; j += PANEL) {
        const index_t width = N - j < PANEL ? N - j : PANEL, padded = (width + LANES - 1) / LANES * LANES;
        for (index_t v = 0; v < width; v += LANES)
            for (index_t k = 0; k < K; k += LANES)
                FN(turn)(K - k, width - v, b + k * down + (j + v) * along, down, along, panels + K * j + k * padded + v,
                         padded);
    }
}

/* The parts in which K rows of B are gone through. */
static inline index_t FN(depth_of)(index_t K) {
    const index_t parts = (K + DEPTH - 1) / DEPTH;
    return (K + parts - 1) / parts;
}

/* All columns by panels. B is packed where there are rows enough to gain by it. */
static void FN(wide_product)(index_t M, index_t N, index_t K, const REAL *a, index_t a_down, index_t a_along,
                             const REAL *b, index_t b_down, index_t b_along, FN(origin) from, REAL *c, index_t ldc) {
    ALIGNED REAL panels[PACKED_BYTES / sizeof(REAL)];
    if (M <= IN_PLACE_ROWS && b_along == 1 &&
        K * PANEL <= PACKED_BYTES / (index_t)sizeof(REAL)) { /* too few rows to pack for; but for a ragged last panel */
        const index_t whole = N / PANEL * PANEL;
        FN(panels_product)(M, whole, K, a, a_down, a_along, b, b_down, from, c, ldc);
        FN(pack_panels)(K, N - whole, b + whole, b_down, 1, panels);
        if (from.at) from.at += whole;
        FN(panels_product)(M, N - whole, K, a, a_down, a_along, panels, 0, from, c + whole, ldc);
        return;
    }
    const index_t depth = FN(depth_of)(K), room = PACKED_BYTES / (index_t)sizeof(REAL) / depth / PANEL * PANEL;
    for (index_t k = 0; k < K; k += depth) {
        const index_t deep = K - k < depth ? K - k : depth;
        for (index_t j = 0; j < N; j += room) {
            const index_t columns = N - j < room ? N - j : room;
            FN(pack_panels)(deep, columns, b + k * b_down + j * b_along, b_down, b_along, panels);
            for (index_t i = 0; i < M; i += BLOCK_ROWS) {
                const index_t rows = M - i < BLOCK_ROWS ? M - i : BLOCK_ROWS;
                const FN(origin) first = {from.at ? from.at + i * from.stride + j : NULL, from.stride};
                REAL *const here = c + i * ldc + j;
                FN(panels_product)(rows, columns, deep, a + i * a_down + k * a_along, a_down, a_along, panels, 0,
                                   k ? (FN(origin)){here, ldc} : first, here, ldc);
            }
        }
    }
}
