/* A matrix B (K, N) that many products C = C0 + A B are taken with: recurrent weights, one product a step of time.
 *
 * It is packed once, but for columns that are too few to fill a vector (narrow.h), in parts of at most DEPTH rows, each
 * the panels of its columns. Where all products have a single row, packing costs as much as several of them and each
 * reads B but once: there it is read where it lies. */

typedef struct {
    index_t K, N;
    const REAL *data;
    index_t down, along; /* where it is left in place: b(k, j) = data[k * down + j * along]; 0, 0 where packed */
    int bf16;            /* packed by and for kernels_bf16 */
    index_t narrow;      /* so many last columns are in place, at `last`, each with k along it, `apart` from the next */
    const REAL *last;
    index_t apart;
} FN(packed);

#if VECTOR_BYTES
/* c (N) = c0 + a (K) B, the rows of B one after the other at a distance of ldb: `vectors` vectors of columns. */
ALWAYS_INLINE void FN(row_tile)(const int vectors, index_t K, const REAL *a, const REAL *b, index_t ldb,
                                const REAL *from, REAL *c, index_t last) {
    FN(vec) sum[8];
    for (int v = 0; v < vectors; v++)
        sum[v] = from ? FN(load_first)(from + v * LANES, v < vectors - 1 ? LANES : last) : FN(zero)();
    for (index_t k = 0; k < K; k++, b += ldb)
        for (int v = 0; v < vectors; v++)
            sum[v] += a[k] * FN(load_first)(b + v * LANES, v < vectors - 1 ? LANES : last);
    for (int v = 0; v < vectors; v++) FN(store_first)(c + v * LANES, sum[v], v < vectors - 1 ? LANES : last);
}

static void FN(row_product)(index_t N, index_t K, const REAL *a, const REAL *b, index_t ldb, const REAL *from,
                            REAL *c) {
    for (index_t j = 0; j < N; j += 8 * LANES) {
        const index_t width = N - j < 8 * LANES ? N - j : 8 * LANES, vectors = (width + LANES - 1) / LANES;
#define ROW(v)                                                                                                         \
    case v:                                                                                                            \
        FN(row_tile)(v, K, a, b + j, ldb, from ? from + j : NULL, c + j, width - (v - 1) * LANES);                     \
        break;
        switch (vectors) { ROW(1) ROW(2) ROW(3) ROW(4) ROW(5) ROW(6) ROW(7) ROW(8) }
#undef ROW
    }
}

/* The same with B transposed in memory: a number of c is the scalar product of a and a row there, LANES at a time. */
static void FN(row_dots)(index_t N, index_t K, const REAL *a, const REAL *b, index_t ldb, const REAL *from, REAL *c) {
    const index_t whole = K / LANES * LANES;
    for (index_t j = 0; j < N; j += LANES) {
        const index_t rows = N - j < LANES ? N - j : LANES;
        const REAL *row[LANES];
        FN(vec) sum[LANES];
        const FN(vec) total = from ? FN(load_first)(from + j, rows) : FN(zero)();
        for (int i = 0; i < LANES; i++) {
            row[i] = b + (j + (i < rows ? i : rows - 1)) * ldb; /* past the last row, the last again */
            sum[i] = FN(zero)();
        }
        for (index_t k = 0; k < whole; k += LANES) {
            const FN(vec) x = FN(load)(a + k);
            for (int i = 0; i < LANES; i++) sum[i] += x * FN(load)(row[i] + k);
        }
        if (whole < K) {
            const FN(vec) x = FN(load_first)(a + whole, K - whole);
            for (int i = 0; i < LANES; i++) sum[i] += x * FN(load_first)(row[i] + whole, K - whole);
        }
        FN(store_first)(c + j, total + FN(fold)(sum), rows);
    }
}
#endif

/* For products of at most `rows` rows. Packs into `room`, which is moved past it: at most (K + 16) (N + 16) numbers. */
static FN(packed) FN(pack)(index_t rows, index_t K, index_t N, const REAL *b, index_t down, index_t along, int bf16,
                           REAL **room) {
    REAL *data = (REAL *)(((uintptr_t)*room + 63) & ~(uintptr_t)63); /* vectors then lie within lines of the cache */
#if !DOUBLE
    if (HAS_BF16(bf16)) {
        kernels_bf16->pack(K, N, b, down, along, data);
        *room = data + (K + 32) * (N + 16) / 2;
        return (FN(packed)){K, N, data, 0, 0, 1};
    }
#endif
    if (rows <= 1 && VECTOR_BYTES) return (FN(packed)){K, N, b, down, along, 0};
    FN(packed) whole = {K, N, data, 0, 0, 0};
    if (down == 1) {
        whole.narrow = FN(narrow_along_depth)(N, K);
        N -= whole.narrow;
        whole.last = b + N * along;
        whole.apart = along;
    }
    const index_t depth = FN(depth_of)(K), padded = (N + LANES - 1) / LANES * LANES;
    for (index_t k = 0; k < K; k += depth) {
        const index_t deep = K - k < depth ? K - k : depth;
        FN(pack_panels)(deep, N, b + k * down, down, along, data);
        data += deep * padded;
    }
    *room = data;
    return whole;
}

/* C (M, N) = C0 + A (M, K) B, with the rows of A one after the other at a distance of lda. */
static void FN(times)(index_t M, const REAL *a, index_t lda, FN(packed) B, FN(origin) from, REAL *c, index_t ldc) {
#if !DOUBLE
    if (B.bf16) {
        kernels_bf16->times(M, B.N, B.K, a, lda, B.data, (origin){from.at, from.stride}, c, ldc, 0);
        return;
    }
#endif
#if VECTOR_BYTES
    if (B.along) {
        if (M && B.along == 1) FN(row_product)(B.N, B.K, a, B.data, B.down, from.at, c);
        if (M && B.along != 1) FN(row_dots)(B.N, B.K, a, B.data, B.along, from.at, c);
        return;
    }
#endif
#if defined(__AVX512F__) && !DOUBLE
    if (B.narrow) {
        B.N -= B.narrow;
        FN(along_depth)(M, B.narrow, B.K, a, lda, B.last, B.apart,
                        (FN(origin)){from.at ? from.at + B.N : NULL, from.stride}, c + B.N, ldc);
    }
#endif
    const index_t depth = FN(depth_of)(B.K), padded = (B.N + LANES - 1) / LANES * LANES;
    for (index_t k = 0; k < B.K; k += depth) {
        const index_t deep = B.K - k < depth ? B.K - k : depth;
        FN(panels_product)(M, B.N, deep, a + k, lda, 1, B.data + k * padded, 0, k ? (FN(origin)){c, ldc} : from, c,
                           ldc);
    }
}

static void FN(add_product)(index_t M, const REAL *a, index_t lda, FN(packed) B, REAL *c, index_t ldc) {
    FN(times)(M, a, lda, B, (FN(origin)){c, ldc}, c, ldc);
}

/* C (M, N) = A (M, K) B, where C has room for whole tiles, whose further numbers become undefined: rows up to a
 * multiple of 32, columns to one of 16. */
static void FN(times_whole)(index_t M, const REAL *a, index_t lda, FN(packed) B, REAL *c, index_t ldc) {
#if !DOUBLE
    if (B.bf16) {
        kernels_bf16->times(M, B.N, B.K, a, lda, B.data, (origin){NULL, 0}, c, ldc, 1);
        return;
    }
#endif
    FN(times)(M, a, lda, B, (FN(origin)){NULL, 0}, c, ldc);
}
