/* The gated recurrent unit. Gates in memory: r, z, n. With a (N, 3H) = x W + b,
 *   r = sigmoid(a_r + h U_r)   z = sigmoid(a_z + h U_z)
 *   reset after the product:    m = h U_n + c    n = tanh(a_n + r m)
 *   reset before the product:   m = r h          n = tanh(a_n + m U_n)
 *   h' = (1 - z) n + z h
 * `gates` enters as a and leaves as r, z, n; m (N, H) and h_prev (N, H) are kept for the backward pass. There da may be
 * `gates` itself, and dm, of reset after, m.
 *
 * Gradients, g being that of h':
 *   da_n = g (1 - z) (1 - n^2)   da_z = g (h - n) z (1 - z)
 *   after:   da_r = da_n m r (1 - r)      dm = da_n r         dh = g z + [da_r da_z] U_rz' + dm U_n'
 *   before:  dm = da_n U_n'   da_r = dm h r (1 - r)           dh = g z + [da_r da_z] U_rz' + dm r */

/* One vector of n units of one row. sums: h U of the gate r, that of z and n being H numbers further each. */
ALWAYS_INLINE void FN(gru_reset)(index_t n, REAL *gates, const REAL *sums, index_t H, const REAL *h, REAL *m) {
    const FN(vec) r = FN(vec_fast_sigmoid)(FN(load_first)(gates, n) + FN(load_first)(sums, n));
    const FN(vec) z = FN(vec_fast_sigmoid)(FN(load_first)(gates + H, n) + FN(load_first)(sums + H, n));
    FN(store_first)(gates, r, n);
    FN(store_first)(gates + H, z, n);
    FN(store_first)(m, r * FN(load_first)(h, n), n);
}

ALWAYS_INLINE void FN(gru_move)(index_t n, FN(vec) candidate, FN(vec) z, REAL *h, REAL *y, REAL *h_prev) {
    const FN(vec) before = FN(load_first)(h, n), after = candidate + z * (before - candidate);
    if (h_prev) FN(store_first)(h_prev, before, n);
    FN(store_first)(h, after, n);
    FN(store_first)(y, after, n);
}

ALWAYS_INLINE void FN(gru_after)(index_t n, REAL *gates, const REAL *sums, index_t H, const REAL *c, REAL *m, REAL *h,
                                 REAL *y, REAL *h_prev) {
    const FN(vec) r = FN(vec_fast_sigmoid)(FN(load_first)(gates, n) + FN(load_first)(sums, n));
    const FN(vec) z = FN(vec_fast_sigmoid)(FN(load_first)(gates + H, n) + FN(load_first)(sums + H, n));
    const FN(vec) product = FN(load_first)(sums + 2 * H, n) + FN(load_first)(c, n);
    const FN(vec) candidate = FN(vec_fast_tanh)(FN(load_first)(gates + 2 * H, n) + r * product);
    FN(store_first)(gates, r, n);
    FN(store_first)(gates + H, z, n);
    FN(store_first)(gates + 2 * H, candidate, n);
    FN(store_first)(m, product, n);
    FN(gru_move)(n, candidate, z, h, y, h_prev);
}

ALWAYS_INLINE void FN(gru_before)(index_t n, REAL *gates, const REAL *sums, index_t H, REAL *h, REAL *y,
                                  REAL *h_prev) {
    const FN(vec) candidate = FN(vec_fast_tanh)(FN(load_first)(gates + 2 * H, n) + FN(load_first)(sums, n));
    FN(store_first)(gates + 2 * H, candidate, n);
    FN(gru_move)(n, candidate, FN(load_first)(gates + H, n), h, y, h_prev);
}

/* scratch: the sums h U of a step, and U packed. */
static void FN(gru_forward)(index_t T, index_t H, const int64_t *counts, int reverse, int bf16, int reset_after,
                            REAL *gates, const REAL *U, const REAL *c, REAL *h, REAL *y, index_t ldy, REAL *h_prev,
                            REAL *m, REAL *scratch) {
    const index_t most = most_alive(T, counts), width = reset_after ? 3 * H : 2 * H;
    const FN(sums) sums = FN(room_for_sums)(most, width, &scratch);
    const FN(packed) packed = FN(pack)(most, H, width, U, 3 * H, 1, bf16, &scratch);
    FN(packed) U_n = packed;
    if (!reset_after) U_n = FN(pack)(most, H, H, U + 2 * H, 3 * H, 1, bf16, &scratch);
    walk w = walk_start(T, counts, reverse);
    while (walk_next(&w, T, counts, reverse)) {
        REAL *const g = gates + w.row * 3 * H, *const mt = m + w.row * H, *const yt = y + w.row * ldy;
        REAL *const before = h_prev ? h_prev + w.row * H : NULL;
        const index_t moved = FN(moved)(&w, H, h);
        FN(sum_up)(moved, w.n, h, H, packed, sums);
        if (reset_after) {
            EACH_VECTOR(8, w.n, H, FN(gru_after), g + i * 3 * H + j, sums.at + i * sums.stride + j, H, c + j,
                        mt + i * H + j, h + i * H + j, yt + i * ldy + j, before ? before + i * H + j : NULL)
        } else {
            EACH_VECTOR(8, w.n, H, FN(gru_reset), g + i * 3 * H + j, sums.at + i * sums.stride + j, H, h + i * H + j,
                        mt + i * H + j)
            FN(sum_up)(moved, w.n, mt, H, U_n, sums);
            EACH_VECTOR(8, w.n, H, FN(gru_before), g + i * 3 * H + j, sums.at + i * sums.stride + j, H,
                        h + i * H + j, yt + i * ldy + j, before ? before + i * H + j : NULL)
        }
    }
}

/* da_z and da_n; dh becomes g z. After: da_r and dm too. */
ALWAYS_INLINE void FN(gru_units_back)(index_t n, int reset_after, const REAL *dy, const REAL *gates, index_t H,
                                      const REAL *m, const REAL *h_prev, REAL *dh, REAL *da, REAL *dm) {
    const FN(vec) r = FN(load_first)(gates, n), z = FN(load_first)(gates + H, n);
    const FN(vec) candidate = FN(load_first)(gates + 2 * H, n), before = FN(load_first)(h_prev, n);
    FN(vec) g = FN(load_first)(dh, n);
    if (dy) g += FN(load_first)(dy, n);
    const FN(vec) da_n = g * ((REAL)1 - z) * ((REAL)1 - candidate * candidate);
    FN(store_first)(da + 2 * H, da_n, n);
    FN(store_first)(da + H, g * (before - candidate) * z * ((REAL)1 - z), n);
    FN(store_first)(dh, g * z, n);
    if (reset_after) {
        FN(store_first)(da, da_n * FN(load_first)(m, n) * r * ((REAL)1 - r), n);
        FN(store_first)(dm, da_n * r, n);
    }
}

/* Before: da_r = dm h r (1 - r), and dh += dm r. */
ALWAYS_INLINE void FN(gru_reset_back)(index_t n, const REAL *dm, const REAL *gates, const REAL *h_prev, REAL *dh,
                                      REAL *da) {
    const FN(vec) r = FN(load_first)(gates, n), dr = FN(load_first)(dm, n);
    FN(store_first)(da, dr * FN(load_first)(h_prev, n) * r * ((REAL)1 - r), n);
    FN(store_first)(dh, FN(load_first)(dh, n) + dr * r, n);
}

/* da (N, 3H): gradient of a; dm (N, H): of m. scratch: U_rz' and U_n' packed. */
static void FN(gru_backward)(index_t T, index_t H, const int64_t *counts, int reverse, int bf16, int reset_after,
                             index_t bptt, const REAL *dy, index_t lddy, const REAL *gates, const REAL *m,
                             const REAL *h_prev, const REAL *U, REAL *dh, REAL *da, REAL *dm, REAL *scratch) {
    const FN(packed) U_rz = FN(pack)(most_alive(T, counts), 2 * H, H, U, 1, 3 * H, bf16, &scratch);
    const FN(packed) U_n = FN(pack)(most_alive(T, counts), H, H, U + 2 * H, 1, 3 * H, bf16, &scratch);
    walk w = walk_start(T, counts, !reverse);
    while (walk_next(&w, T, counts, !reverse)) {
        const index_t at = w.row * H;
        REAL *const d = da + 3 * at, *const dmt = dm + at;
        EACH_VECTOR(1, w.n, H, FN(gru_units_back), reset_after, dy ? dy + (w.row + i) * lddy + j : NULL,
                    gates + 3 * (at + i * H) + j, H, m + at + i * H + j, h_prev + at + i * H + j, dh + i * H + j,
                    d + i * 3 * H + j, dmt + i * H + j)
        if (reset_after) {
            FN(add_product)(w.n, dmt, H, U_n, dh, H);
        } else {
            FN(times)(w.n, d + 2 * H, 3 * H, U_n, (FN(origin)){NULL, 0}, dmt, H);
            EACH_VECTOR(1, w.n, H, FN(gru_reset_back), dmt + i * H + j, gates + 3 * (at + i * H) + j,
                        h_prev + at + i * H + j, dh + i * H + j, d + i * 3 * H + j)
        }
        FN(add_product)(w.n, d, 3 * H, U_rz, dh, H);
        memset(dh, 0, sizeof(REAL) * H * walk_cut(&w, T, counts, reverse, bptt));
    }
}
