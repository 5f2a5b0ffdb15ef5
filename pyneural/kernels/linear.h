/* Row-major matrix products over Fortran BLAS: the one place that knows column order.
 * A row-major matrix is its own transpose in column order, so C = A B is asked for as C' = B' A'. */

static void FN(matmul)(int transpose_a, int transpose_b, index_t M, index_t N, index_t K, const REAL *a, index_t lda,
                       const REAL *b, index_t ldb, int accumulate, REAL *c, index_t ldc) {
    if (M == 0 || N == 0) return;
    if (K == 0) {
        if (!accumulate)
            for (index_t i = 0; i < M; i++) memset(c + i * ldc, 0, sizeof(REAL) * N);
        return;
    }
    int m = (int)M, n = (int)N, k = (int)K, la = (int)lda, lb = (int)ldb, lc = (int)ldc, one = 1;
    REAL alpha = 1, beta = accumulate ? 1 : 0;
    char ta = transpose_a ? 'T' : 'N', tb = transpose_b ? 'T' : 'N';
    if (M == 1 && !transpose_a) { /* a row times a matrix: c' = B' a' */
        char t = transpose_b ? 'T' : 'N';
        int fortran_rows = transpose_b ? k : n, fortran_columns = transpose_b ? n : k;
#if DOUBLE
        kernels_blas.dgemv(
#else
        kernels_blas.sgemv(
#endif
            &t, &fortran_rows, &fortran_columns, &alpha, (REAL *)b, &lb, (REAL *)a, &one, &beta, c, &one);
        return;
    }
#if DOUBLE
    kernels_blas.dgemm(
#else
    kernels_blas.sgemm(
#endif
        &tb, &ta, &n, &m, &k, &alpha, (REAL *)b, &lb, (REAL *)a, &la, &beta, c, &lc);
}

/* y = x W + b: x (N, D), W (D, H), b (H), y (N, H). */
static void FN(affine)(index_t N, index_t D, index_t H, const REAL *x, const REAL *W, const REAL *b, REAL *y) {
    if (b)
        for (index_t i = 0; i < N; i++) memcpy(y + i * H, b, sizeof(REAL) * H);
    FN(matmul)(0, 0, N, H, D, x, D, W, H, b != NULL, y, H);
}

/* out = sum of the rows of x (N, D): the gradient of a bias. Summed in blocks of rows, so that the rounding error
 * grows with the number of blocks and with their height, not with N. */
static void FN(column_sums)(index_t N, index_t D, const REAL *restrict x, REAL *restrict out) {
    enum { ROWS = 128, COLUMNS = 64 };
    memset(out, 0, sizeof(REAL) * D);
    for (index_t i0 = 0; i0 < N; i0 += ROWS) {
        const index_t i1 = i0 + ROWS < N ? i0 + ROWS : N;
        for (index_t j0 = 0; j0 < D; j0 += COLUMNS) {
            const index_t width = D - j0 < COLUMNS ? D - j0 : COLUMNS;
            REAL block[COLUMNS] = {0};
            for (index_t i = i0; i < i1; i++) {
                const REAL *restrict row = x + i * D + j0;
                SIMD for (index_t j = 0; j < width; j++) block[j] += row[j];
            }
            SIMD for (index_t j = 0; j < width; j++) out[j0 + j] += block[j];
        }
    }
}

/* b (N, M) = a (M, N) transposed, in blocks that fit the first cache. */
static void FN(transpose)(index_t M, index_t N, const REAL *restrict a, index_t lda, REAL *restrict b) {
    for (index_t i0 = 0; i0 < M; i0 += 16)
        for (index_t j0 = 0; j0 < N; j0 += 16)
            for (index_t i = i0; i < M && i < i0 + 16; i++)
                for (index_t j = j0; j < N && j < j0 + 16; j++) b[j * M + i] = a[i * lda + j];
}
