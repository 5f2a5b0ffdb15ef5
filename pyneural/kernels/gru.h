/* The gated recurrent unit. Gates in memory: r, z, n. With a (N, 3H) = x W + b,
 *   r = sigmoid(a_r + h U_r)   z = sigmoid(a_z + h U_z)
 *   reset after the product:    m = h U_n + c    n = tanh(a_n + r m)
 *   reset before the product:   m = r h          n = tanh(a_n + m U_n)
 *   h' = (1 - z) n + z h
 * `gates` enters as a and leaves as r, z, n; m (N, H) and h_prev (N, H) are kept for the backward pass.
 *
 * Gradients, g being that of h':
 *   da_n = g (1 - z) (1 - n^2)   da_z = g (h - n) z (1 - z)
 *   after:   da_r = da_n m r (1 - r)      dm = da_n r         dh = g z + [da_r da_z dm] U'
 *   before:  dm = da_n U_n'   da_r = dm h r (1 - r)           dh = g z + dm r + [da_r da_z] U_rz' */

static void FN(gru_forward)(index_t T, index_t H, const int64_t *counts, int reverse, int reset_after, REAL *gates,
                            const REAL *U, const REAL *c, REAL *h, REAL *y, REAL *h_prev, REAL *m, REAL *scratch) {
    REAL *const hU = scratch; /* (B, 3H) */
    walk w = walk_start(T, counts, reverse);
    while (walk_next(&w, T, counts, reverse)) {
        const index_t columns = reset_after ? 3 * H : 2 * H;
        FN(matmul)(0, 0, w.n, columns, H, h, H, U, 3 * H, 0, hU, 3 * H);
        for (index_t i = 0; i < w.n; i++) {
            const index_t row = w.row + i;
            REAL *restrict r = gates + row * 3 * H, *restrict z = r + H, *restrict n = r + 2 * H;
            const REAL *restrict s = hU + i * 3 * H;
            REAL *restrict hi = h + i * H, *restrict yi = y + row * H, *restrict mi = m + row * H;
            if (h_prev) memcpy(h_prev + row * H, hi, sizeof(REAL) * H);
            if (reset_after) {
                SIMD for (index_t j = 0; j < H; j++) {
                    r[j] = FN(fast_sigmoid)(r[j] + s[j]);
                    z[j] = FN(fast_sigmoid)(z[j] + s[H + j]);
                    mi[j] = s[2 * H + j] + c[j];
                    n[j] = FN(fast_tanh)(n[j] + r[j] * mi[j]);
                    yi[j] = n[j] + z[j] * (hi[j] - n[j]);
                }
                memcpy(hi, yi, sizeof(REAL) * H);
            } else {
                SIMD for (index_t j = 0; j < H; j++) {
                    r[j] = FN(fast_sigmoid)(r[j] + s[j]);
                    z[j] = FN(fast_sigmoid)(z[j] + s[H + j]);
                    mi[j] = r[j] * hi[j];
                }
            }
        }
        if (reset_after) continue;
        FN(matmul)(0, 0, w.n, H, H, m + w.row * H, H, U + 2 * H, 3 * H, 1, gates + w.row * 3 * H + 2 * H, 3 * H);
        for (index_t i = 0; i < w.n; i++) {
            const index_t row = w.row + i;
            const REAL *restrict z = gates + row * 3 * H + H;
            REAL *restrict n = gates + row * 3 * H + 2 * H;
            REAL *restrict hi = h + i * H, *restrict yi = y + row * H;
            SIMD for (index_t j = 0; j < H; j++) {
                n[j] = FN(fast_tanh)(n[j]);
                hi[j] = n[j] + z[j] * (hi[j] - n[j]);
                yi[j] = hi[j];
            }
        }
    }
}

/* da (N, 3H): gradient of a. dm (N, H): gradient of m, written for reset-after only, where it is that of
 * h U_n + c. scratch: U' (3H, H), then 3H numbers a sequence. */
static void FN(gru_backward)(index_t T, index_t H, const int64_t *counts, int reverse, int reset_after, index_t bptt,
                             const REAL *dy, const REAL *gates, const REAL *m, const REAL *h_prev, const REAL *U,
                             REAL *dh, REAL *da, REAL *dm, REAL *scratch) {
    REAL *const U_transposed = scratch, *const block = scratch + 3 * H * H;
    FN(transpose)(H, 3 * H, U, 3 * H, U_transposed);
    walk w = walk_start(T, counts, !reverse);
    while (walk_next(&w, T, counts, !reverse)) {
        const index_t at = w.row * H;
        FN(add_rows)(w.n * H, dy ? dy + at : NULL, dh);
        for (index_t i = 0; i < w.n; i++) {
            const index_t row = w.row + i;
            const REAL *restrict r = gates + row * 3 * H, *restrict z = r + H, *restrict n = r + 2 * H;
            const REAL *restrict hp = h_prev + row * H, *restrict mi = m + row * H;
            REAL *restrict d = da + row * 3 * H, *restrict g = dh + i * H, *restrict b = block + i * 3 * H;
            if (reset_after) {
                REAL *restrict dmi = dm + row * H;
                SIMD for (index_t j = 0; j < H; j++) {
                    const REAL dn = g[j] * (1 - z[j]) * (1 - n[j] * n[j]);
                    const REAL dz = g[j] * (hp[j] - n[j]) * z[j] * (1 - z[j]);
                    const REAL dr = dn * mi[j] * r[j] * (1 - r[j]);
                    d[j] = b[j] = dr;
                    d[H + j] = b[H + j] = dz;
                    d[2 * H + j] = dn;
                    dmi[j] = b[2 * H + j] = dn * r[j];
                    g[j] *= z[j];
                }
            } else {
                SIMD for (index_t j = 0; j < H; j++) {
                    d[2 * H + j] = g[j] * (1 - z[j]) * (1 - n[j] * n[j]);
                    d[H + j] = g[j] * (hp[j] - n[j]) * z[j] * (1 - z[j]);
                    g[j] *= z[j];
                }
            }
        }
        if (reset_after) {
            FN(matmul)(0, 0, w.n, H, 3 * H, block, 3 * H, U_transposed, H, 1, dh, H);
        } else {
            REAL *const d = da + w.row * 3 * H;
            FN(matmul)(0, 0, w.n, H, H, d + 2 * H, 3 * H, U_transposed + 2 * H * H, H, 0, block, H);
            for (index_t i = 0; i < w.n; i++) {
                const REAL *restrict r = gates + (w.row + i) * 3 * H, *restrict hp = h_prev + (w.row + i) * H;
                const REAL *restrict b = block + i * H;
                REAL *restrict di = d + i * 3 * H, *restrict g = dh + i * H;
                SIMD for (index_t j = 0; j < H; j++) {
                    di[j] = b[j] * hp[j] * r[j] * (1 - r[j]);
                    g[j] += b[j] * r[j];
                }
            }
            FN(matmul)(0, 0, w.n, H, 2 * H, d, 3 * H, U_transposed, H, 1, dh, H);
        }
        memset(dh, 0, sizeof(REAL) * H * walk_cut(&w, T, counts, reverse, bptt));
    }
}
