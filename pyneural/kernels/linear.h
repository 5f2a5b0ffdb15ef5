/* Row-major matrix products: our own where they are faster (product.h), over Fortran BLAS elsewhere. This is the one
 * place that knows column order, in which a row-major matrix is its own transpose: C = A B is asked for as C' = B' A'. */

#ifndef PYNEURAL_LINEAR
#define PYNEURAL_LINEAR
/* M N K from which BLAS is called. Ours is the faster one up to large products; BLAS knows processors better than the
 * baseline does, and compilers without vector types leave everything to it. */
#if !VECTOR_BYTES
enum { OWN_PRODUCTS = 0 };
#elif defined(__AVX2__) || defined(__aarch64__)
enum { OWN_PRODUCTS = 1 << 28 };
#else
enum { OWN_PRODUCTS = 1 << 15 };
#endif
#endif

static void FN(blas)(int transpose_a, int transpose_b, index_t M, index_t N, index_t K, const REAL *a, index_t lda,
                     const REAL *b, index_t ldb, int accumulate, REAL *c, index_t ldc) {
    int m = (int)M, n = (int)N, k = (int)K, la = (int)lda, lb = (int)ldb, lc = (int)ldc;
    REAL alpha = 1, beta = accumulate ? 1 : 0;
    char ta = transpose_a ? 'T' : 'N', tb = transpose_b ? 'T' : 'N';
#if DOUBLE
    kernels_blas.dgemm(
#else
    kernels_blas.sgemm(
#endif
        &tb, &ta, &n, &m, &k, &alpha, (REAL *)b, &lb, (REAL *)a, &la, &beta, c, &lc);
}

static void FN(matmul)(int transpose_a, int transpose_b, index_t M, index_t N, index_t K, const REAL *a, index_t lda,
                       const REAL *b, index_t ldb, int accumulate, int bf16, REAL *c, index_t ldc) {
    if (K == 0) {
        for (index_t i = 0; !accumulate && i < M; i++) memset(c + i * ldc, 0, sizeof(REAL) * N);
        return;
    }
#if !DOUBLE
    if (HAS_BF16(bf16)) {
        kernels_bf16->product(M, N, K, a, transpose_a ? 1 : lda, transpose_a ? lda : 1, b, transpose_b ? 1 : ldb,
                              transpose_b ? ldb : 1, (origin){accumulate ? c : NULL, ldc}, c, ldc);
        return;
    }
#endif
    if (M > 0 && N > 0 && M * N * K >= OWN_PRODUCTS) {
        FN(blas)(transpose_a, transpose_b, M, N, K, a, lda, b, ldb, accumulate, c, ldc);
    } else {
        const FN(origin) from = {accumulate ? c : NULL, ldc};
        FN(product)(M, N, K, a, transpose_a ? 1 : lda, transpose_a ? lda : 1, b, transpose_b ? 1 : ldb,
                    transpose_b ? ldb : 1, from, c, ldc);
    }
}

/* y = x W + b: x (N, D), W (D, H), b (H), y (N, H). */
static void FN(affine)(index_t N, index_t D, index_t H, const REAL *x, const REAL *W, const REAL *b, int bf16,
                       REAL *y) {
#if !DOUBLE
    if (D && HAS_BF16(bf16)) {
        kernels_bf16->product(N, H, D, x, D, 1, W, H, 1, (origin){b, 0}, y, H);
        return;
    }
#endif
    if (!b || !D || N * D * H >= OWN_PRODUCTS) {
        if (b)
            for (index_t i = 0; i < N; i++) memcpy(y + i * H, b, sizeof(REAL) * H);
        FN(matmul)(0, 0, N, H, D, x, D, W, H, b != NULL, bf16, y, H);
    } else {
        FN(product)(N, H, D, x, D, 1, W, H, 1, (FN(origin)){b, 0}, y, H);
    }
}

/* out = sum of the rows of x (N, D), ldx apart: the gradient of a bias. Summed in blocks of rows, so that the rounding
 * error grows with the number of blocks and with their height, not with N. */
static void FN(column_sums)(index_t N, index_t D, const REAL *restrict x, index_t ldx, REAL *restrict out) {
    enum { ROWS = 128, COLUMNS = 64 };
    memset(out, 0, sizeof(REAL) * D);
    for (index_t i0 = 0; i0 < N; i0 += ROWS) {
        const index_t i1 = i0 + ROWS < N ? i0 + ROWS : N;
        for (index_t j0 = 0; j0 < D; j0 += COLUMNS) {
            const index_t width = D - j0 < COLUMNS ? D - j0 : COLUMNS;
            REAL block[COLUMNS] = {0};
            for (index_t i = i0; i < i1; i++) {
                const REAL *restrict row = x + i * ldx + j0;
                SIMD for (index_t j = 0; j < width; j++) block[j] += row[j];
            }
            SIMD for (index_t j = 0; j < width; j++) out[j0 + j] += block[j];
        }
    }
}

/* The gradients of y = x W + b for that of y, g (N, H): dW (D, H) = x' g, db = column sums of g, and dx (N, D) = g W',
 * added to what is there where `accumulate`. The rows of g and dW are ldg and lddw apart. */
static void FN(affine_backward)(index_t N, index_t D, index_t H, const REAL *x, const REAL *g, index_t ldg,
                                const REAL *W, int bf16, REAL *dW, index_t lddw, REAL *db, int accumulate, REAL *dx) {
    FN(matmul)(1, 0, D, H, N, x, D, g, ldg, 0, bf16, dW, lddw);
    if (db) FN(column_sums)(N, H, g, ldg, db);
    if (dx) FN(matmul)(0, 1, N, D, H, g, ldg, W, H, accumulate, bf16, dx, D);
}
