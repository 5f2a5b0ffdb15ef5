/* The last few columns of a product, which would leave most of a vector of columns empty: vectors go along k instead,
 * or along the rows of C, whichever lie side by side in memory. */

#if VECTOR_BYTES
/* LANES sums at once: total[i] = sum of the numbers of part i. */
ALWAYS_INLINE FN(vec) FN(fold)(const FN(vec) parts[LANES]) {
    ALIGNED REAL square[LANES * LANES], turned[LANES * LANES];
    for (int i = 0; i < LANES; i++) FN(store)(square + i * LANES, parts[i]);
    FN(turn)(LANES, LANES, square, 1, LANES, turned, LANES);
    FN(vec) total = FN(zero)();
    for (int i = 0; i < LANES; i++) total += FN(load)(turned + i * LANES);
    return total;
}
#endif

/* How many last columns of N are better found as scalar products along K: beside the K / 4 of four of them, one costs
 * some 25 instructions to add up. */
static inline index_t FN(narrow_along_depth)(index_t N, index_t K) {
#if defined(__AVX512F__) && !DOUBLE
    const index_t columns = N % LANES;
    return (columns + 3) / 4 * (K / 4 + 25) < K ? columns : 0;
#else
    (void)N, (void)K;
    return 0;
#endif
}

#if defined(__AVX512F__) && !DOUBLE
/* Scalar products of 4 rows of A with 4 columns of B, both along k in memory; past the last, the last again. */
ALWAYS_INLINE void FN(dots)(index_t rows, index_t columns, index_t K, const REAL *a, index_t lda, const REAL *b,
                            index_t ldb, FN(origin) from, REAL *c, index_t ldc) {
    const REAL *row[4], *column[4];
    FN(vec) sum[LANES];
    for (int i = 0; i < 4; i++) {
        row[i] = a + (i < rows ? i : rows - 1) * lda;
        column[i] = b + (i < columns ? i : columns - 1) * ldb;
    }
    for (int s = 0; s < LANES; s++) sum[s] = FN(zero)();
    for (index_t k = 0; k < K; k += LANES) {
        const index_t n = K - k < LANES ? K - k : LANES;
        FN(vec) x[4], y[4];
        for (int i = 0; i < 4; i++) x[i] = FN(load_first)(row[i] + k, n), y[i] = FN(load_first)(column[i] + k, n);
        for (int i = 0; i < 4; i++)
            for (int j = 0; j < 4; j++) sum[i * 4 + j] += x[i] * y[j];
    }
    const FN(vec) total = FN(fold)(sum);
    for (index_t i = 0; i < rows; i++)
        for (index_t j = 0; j < columns; j++)
            c[i * ldc + j] = total[i * 4 + j] + (from.at ? from.at[i * from.stride + j] : 0);
}

/* C (M, N): A's rows are lda apart, B's columns ldb. */
static void FN(along_depth)(index_t M, index_t N, index_t K, const REAL *a, index_t lda, const REAL *b, index_t ldb,
                            FN(origin) from, REAL *c, index_t ldc) {
    for (index_t i = 0; i < M; i += 4)
        for (index_t j = 0; j < N; j += 4) {
            const FN(origin) here = {from.at ? from.at + i * from.stride + j : NULL, from.stride};
            FN(dots)(M - i < 4 ? M - i : 4, N - j < 4 ? N - j : 4, K, a + i * lda, lda, b + j * ldb, ldb, here,
                     c + i * ldc + j, ldc);
        }
}

/* C' = B' A' where the rows of A' (K, M), lda apart, lie in memory as those of B do. */
static void FN(along_rows)(index_t M, index_t N, index_t K, const REAL *a, index_t lda, const REAL *b, index_t b_down,
                           index_t b_along, FN(origin) from, REAL *c, index_t ldc) {
    enum { ROWS = 480 };
    ALIGNED REAL turned[LANES * ROWS];
    for (index_t i0 = 0; i0 < M; i0 += ROWS) {
        const index_t rows = M - i0 < ROWS ? M - i0 : ROWS;
        FN(wide_product)(N, rows, K, b, b_along, b_down, a + i0, lda, 1, (FN(origin)){NULL, 0}, turned, ROWS);
        for (index_t i = 0; i < rows; i++)
            for (index_t j = 0; j < N; j++)
                c[(i0 + i) * ldc + j] =
                    turned[j * ROWS + i] + (from.at ? from.at[(i0 + i) * from.stride + j] : 0);
    }
}
#endif

/* C (M, N) = C0 + A B: the columns that fill vectors by panels (product.h), those that are left the other way round. */
static void FN(product)(index_t M, index_t N, index_t K, const REAL *a, index_t a_down, index_t a_along, const REAL *b,
                        index_t b_down, index_t b_along, FN(origin) from, REAL *c, index_t ldc) {
#if defined(__AVX512F__) && !DOUBLE
    index_t narrow = 0;
    if (a_along == 1 && b_down == 1) narrow = FN(narrow_along_depth)(N, K);
    else if (a_down == 1 && K >= LANES && N % LANES * ((M + LANES - 1) / LANES) < M * 3 / 4) narrow = N % LANES;
    if (narrow) {
        N -= narrow;
        const FN(origin) start = {from.at ? from.at + N : NULL, from.stride};
        const REAL *const last = b + N * b_along;
        if (a_along == 1) FN(along_depth)(M, narrow, K, a, a_down, last, b_along, start, c + N, ldc);
        else FN(along_rows)(M, narrow, K, a, a_along, last, b_down, b_along, start, c + N, ldc);
    }
#endif
    if (N) FN(wide_product)(M, N, K, a, a_down, a_along, b, b_down, b_along, from, c, ldc);
}
