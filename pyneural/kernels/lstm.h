/* Long short-term memory. Gates in memory: i, f, g, o. With a (N, 4H) = x W + b,
 *   i, f, o = sigmoid(a + h U)   g = tanh(a_g + h U_g)   c' = f c + i g   h' = o tanh(c')
 * `gates` enters as a and leaves as i, f, g, o. In the backward pass da may be `gates` itself.
 *
 * Gradients, with dh' and dc' those of h' and c', and e = dc' + dh' o (1 - tanh(c')^2):
 *   da_i = e g i (1 - i)   da_f = e c f (1 - f)   da_g = e i (1 - g^2)   da_o = dh' tanh(c') o (1 - o)
 *   dc = e f   dh = da U' */

/* One vector of n units of one row. */
ALWAYS_INLINE void FN(lstm_units)(index_t n, REAL *gates, const REAL *sums, index_t H, REAL *h, REAL *c, REAL *y,
                                  REAL *tanh_c, REAL *h_prev, REAL *c_prev) {
    const FN(vec) i = FN(vec_fast_sigmoid)(FN(load_first)(gates, n) + FN(load_first)(sums, n));
    const FN(vec) f = FN(vec_fast_sigmoid)(FN(load_first)(gates + H, n) + FN(load_first)(sums + H, n));
    const FN(vec) g = FN(vec_fast_tanh)(FN(load_first)(gates + 2 * H, n) + FN(load_first)(sums + 2 * H, n));
    const FN(vec) o = FN(vec_fast_sigmoid)(FN(load_first)(gates + 3 * H, n) + FN(load_first)(sums + 3 * H, n));
    const FN(vec) before = FN(load_first)(c, n), memory = f * before + i * g;
    const FN(vec) squashed = FN(vec_fast_tanh)(memory), out = o * squashed;
    if (h_prev) {
        FN(store_first)(h_prev, FN(load_first)(h, n), n);
        FN(store_first)(c_prev, before, n);
    }
    FN(store_first)(gates, i, n);
    FN(store_first)(gates + H, f, n);
    FN(store_first)(gates + 2 * H, g, n);
    FN(store_first)(gates + 3 * H, o, n);
    FN(store_first)(tanh_c, squashed, n);
    FN(store_first)(c, memory, n);
    FN(store_first)(h, out, n);
    FN(store_first)(y, out, n);
}

/* scratch: the sums h U of a step, and U packed. */
static void FN(lstm_forward)(index_t T, index_t H, const int64_t *counts, int reverse, int bf16, REAL *gates,
                             const REAL *U, REAL *h, REAL *c, REAL *y, index_t ldy, REAL *h_prev, REAL *c_prev,
                             REAL *tanh_c, REAL *scratch) {
    const FN(sums) sums = FN(room_for_sums)(most_alive(T, counts), 4 * H, &scratch);
    const FN(packed) packed = FN(pack)(most_alive(T, counts), H, 4 * H, U, 4 * H, 1, bf16, &scratch);
    walk w = walk_start(T, counts, reverse);
    while (walk_next(&w, T, counts, reverse)) {
        FN(sum_up)(FN(moved)(&w, H, h), w.n, h, H, packed, sums);
        const index_t at = w.row * H;
        EACH_VECTOR(8, w.n, H, FN(lstm_units), gates + 4 * (at + i * H) + j, sums.at + i * sums.stride + j, H,
                    h + i * H + j, c + i * H + j, y + (w.row + i) * ldy + j, tanh_c + at + i * H + j,
                    h_prev ? h_prev + at + i * H + j : NULL, c_prev ? c_prev + at + i * H + j : NULL)
    }
}

ALWAYS_INLINE void FN(lstm_units_back)(index_t n, const REAL *dy, const REAL *gates, index_t H, const REAL *tanh_c,
                                       const REAL *c_prev, const REAL *dh, REAL *dc, REAL *da) {
    const FN(vec) i = FN(load_first)(gates, n), f = FN(load_first)(gates + H, n);
    const FN(vec) g = FN(load_first)(gates + 2 * H, n), o = FN(load_first)(gates + 3 * H, n);
    const FN(vec) squashed = FN(load_first)(tanh_c, n);
    FN(vec) d = FN(load_first)(dh, n);
    if (dy) d += FN(load_first)(dy, n);
    const FN(vec) e = FN(load_first)(dc, n) + d * o * ((REAL)1 - squashed * squashed);
    FN(store_first)(da, e * g * i * ((REAL)1 - i), n);
    FN(store_first)(da + H, e * FN(load_first)(c_prev, n) * f * ((REAL)1 - f), n);
    FN(store_first)(da + 2 * H, e * i * ((REAL)1 - g * g), n);
    FN(store_first)(da + 3 * H, d * squashed * o * ((REAL)1 - o), n);
    FN(store_first)(dc, e * f, n);
}

/* scratch: U' packed. */
static void FN(lstm_backward)(index_t T, index_t H, const int64_t *counts, int reverse, int bf16, index_t bptt,
                              const REAL *dy, index_t lddy, const REAL *gates, const REAL *c_prev, const REAL *tanh_c,
                              const REAL *U, REAL *dh, REAL *dc, REAL *da, REAL *scratch) {
    const FN(packed) packed = FN(pack)(most_alive(T, counts), 4 * H, H, U, 1, 4 * H, bf16, &scratch);
    walk w = walk_start(T, counts, !reverse);
    while (walk_next(&w, T, counts, !reverse)) {
        const index_t at = w.row * H;
        EACH_VECTOR(1, w.n, H, FN(lstm_units_back), dy ? dy + (w.row + i) * lddy + j : NULL,
                    gates + 4 * (at + i * H) + j, H, tanh_c + at + i * H + j, c_prev + at + i * H + j, dh + i * H + j,
                    dc + i * H + j, da + 4 * (at + i * H) + j)
        FN(times)(w.n, da + w.row * 4 * H, 4 * H, packed, (FN(origin)){NULL, 0}, dh, H);
        const index_t cut = walk_cut(&w, T, counts, reverse, bptt);
        memset(dh, 0, sizeof(REAL) * H * cut);
        memset(dc, 0, sizeof(REAL) * H * cut);
    }
}
