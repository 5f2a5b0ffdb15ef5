/* Long short-term memory. Gates in memory: i, f, g, o. With a (N, 4H) = x W + b,
 *   i, f, o = sigmoid(a + h U)   g = tanh(a_g + h U_g)   c' = f c + i g   h' = o tanh(c')
 * `gates` enters as a and leaves as i, f, g, o.
 *
 * Gradients, with dh' and dc' those of h' and c', and e = dc' + dh' o (1 - tanh(c')^2):
 *   da_i = e g i (1 - i)   da_f = e c f (1 - f)   da_g = e i (1 - g^2)   da_o = dh' tanh(c') o (1 - o)
 *   dc = e f   dh = da U' */

static void FN(lstm_forward)(index_t T, index_t H, const int64_t *counts, int reverse, REAL *gates, const REAL *U,
                             REAL *h, REAL *c, REAL *y, REAL *h_prev, REAL *c_prev, REAL *tanh_c, REAL *scratch) {
    REAL *const hU = scratch; /* (B, 4H) */
    walk w = walk_start(T, counts, reverse);
    while (walk_next(&w, T, counts, reverse)) {
        FN(matmul)(0, 0, w.n, 4 * H, H, h, H, U, 4 * H, 0, hU, 4 * H);
        for (index_t k = 0; k < w.n; k++) {
            const index_t row = w.row + k;
            REAL *restrict i = gates + row * 4 * H, *restrict f = i + H, *restrict g = i + 2 * H, *restrict o = i + 3 * H;
            const REAL *restrict s = hU + k * 4 * H;
            REAL *restrict hk = h + k * H, *restrict ck = c + k * H, *restrict yk = y + row * H;
            REAL *restrict tc = tanh_c + row * H;
            if (h_prev) {
                memcpy(h_prev + row * H, hk, sizeof(REAL) * H);
                memcpy(c_prev + row * H, ck, sizeof(REAL) * H);
            }
            SIMD for (index_t j = 0; j < H; j++) {
                i[j] = FN(fast_sigmoid)(i[j] + s[j]);
                f[j] = FN(fast_sigmoid)(f[j] + s[H + j]);
                g[j] = FN(fast_tanh)(g[j] + s[2 * H + j]);
                o[j] = FN(fast_sigmoid)(o[j] + s[3 * H + j]);
                ck[j] = f[j] * ck[j] + i[j] * g[j];
                tc[j] = FN(fast_tanh)(ck[j]);
                yk[j] = o[j] * tc[j];
            }
            memcpy(hk, yk, sizeof(REAL) * H);
        }
    }
}

/* scratch: U' (4H, H). */
static void FN(lstm_backward)(index_t T, index_t H, const int64_t *counts, int reverse, index_t bptt, const REAL *dy,
                              const REAL *gates, const REAL *c_prev, const REAL *tanh_c, const REAL *U, REAL *dh,
                              REAL *dc, REAL *da, REAL *scratch) {
    FN(transpose)(H, 4 * H, U, 4 * H, scratch);
    walk w = walk_start(T, counts, !reverse);
    while (walk_next(&w, T, counts, !reverse)) {
        const index_t at = w.row * H;
        FN(add_rows)(w.n * H, dy ? dy + at : NULL, dh);
        for (index_t k = 0; k < w.n; k++) {
            const index_t row = w.row + k;
            const REAL *restrict i = gates + row * 4 * H, *restrict f = i + H, *restrict g = i + 2 * H;
            const REAL *restrict o = i + 3 * H, *restrict tc = tanh_c + row * H, *restrict cp = c_prev + row * H;
            const REAL *restrict dhk = dh + k * H;
            REAL *restrict d = da + row * 4 * H, *restrict dck = dc + k * H;
            SIMD for (index_t j = 0; j < H; j++) {
                const REAL e = dck[j] + dhk[j] * o[j] * (1 - tc[j] * tc[j]);
                d[j] = e * g[j] * i[j] * (1 - i[j]);
                d[H + j] = e * cp[j] * f[j] * (1 - f[j]);
                d[2 * H + j] = e * i[j] * (1 - g[j] * g[j]);
                d[3 * H + j] = dhk[j] * tc[j] * o[j] * (1 - o[j]);
                dck[j] = e * f[j];
            }
        }
        FN(matmul)(0, 0, w.n, H, 4 * H, da + w.row * 4 * H, 4 * H, scratch, H, 0, dh, H);
        const index_t cut = walk_cut(&w, T, counts, reverse, bptt);
        memset(dh, 0, sizeof(REAL) * H * cut);
        memset(dc, 0, sizeof(REAL) * H * cut);
    }
}
