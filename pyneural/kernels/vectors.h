/* Vectors of numbers, as wide as the instruction set's, and the first n numbers of one.
 *
 * GCC's and clang's vector types know + - * / and comparisons; what they lack (a row's ragged end) is here. Another
 * compiler gets "vectors" of one number, so that what is written on vectors still is correct there. */

#ifndef PYNEURAL_VECTORS
#define PYNEURAL_VECTORS
#if !defined(__GNUC__)
#define VECTOR_BYTES 0
#define ALWAYS_INLINE static __forceinline
#define ALIGNED
#define PREFETCH(p) ((void)0)
#elif defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX2__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif
#if defined(__GNUC__)
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define ALIGNED __attribute__((aligned(64)))
#define PREFETCH(p) __builtin_prefetch(p, 1)
#endif
/* Calls f(n, ...) for every vector of `rows` rows of `size` numbers: in the arguments `i` is the row, `j` where in it
 * the vector starts, and n its numbers, fewer than LANES at a ragged end. `abreast` rows at a time go column by column:
 * where f changes numbers in place, a vector that lies askew over the one just stored would wait for the store. */
#define EACH_VECTOR(abreast, rows, size, f, ...)                                                                       \
    for (index_t i_ = 0; i_ < (rows); i_ += (abreast)) {                                                               \
        const index_t end_ = i_ + (abreast) < (rows) ? i_ + (abreast) : (rows);                                        \
        index_t j = 0;                                                                                                 \
        for (; j + LANES <= (size); j += LANES)                                                                        \
            for (index_t i = i_; i < end_; i++) f(LANES, __VA_ARGS__);                                                 \
        if (j < (size))                                                                                                \
            for (index_t i = i_; i < end_; i++) f((size) - j, __VA_ARGS__);                                            \
    }
#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#endif
#endif

#undef LANES
#undef SELECT
#if VECTOR_BYTES
#define LANES ((index_t)(VECTOR_BYTES / sizeof(REAL)))
typedef REAL FN(vec) __attribute__((vector_size(VECTOR_BYTES)));
typedef REAL FN(vec_anywhere) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));
#else
#define LANES ((index_t)1)
typedef REAL FN(vec);
typedef REAL FN(vec_anywhere);
#endif

ALWAYS_INLINE FN(vec) FN(load)(const REAL *p) { return *(const FN(vec_anywhere) *)p; }
ALWAYS_INLINE void FN(store)(REAL *p, FN(vec) x) { *(FN(vec_anywhere) *)p = x; }
ALWAYS_INLINE FN(vec) FN(zero)(void) { return FN(load)((const REAL[VECTOR_BYTES / sizeof(REAL) + 1]){0}); }
ALWAYS_INLINE FN(vec) FN(broadcast)(REAL x) { return FN(zero)() + x; }

/* The first n numbers at p, zeros after them. */
ALWAYS_INLINE FN(vec) FN(load_first)(const REAL *p, index_t n) {
    if (n >= LANES) return FN(load)(p);
#if defined(__AVX512F__) && DOUBLE
    return (FN(vec))_mm512_maskz_loadu_pd((__mmask8)((1u << n) - 1), p);
#elif defined(__AVX512F__)
    return (FN(vec))_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
#else
    REAL all[VECTOR_BYTES / sizeof(REAL) + 1] = {0};
    for (index_t i = 0; i < n; i++) all[i] = p[i];
    return FN(load)(all);
#endif
}

ALWAYS_INLINE void FN(store_first)(REAL *p, FN(vec) x, index_t n) {
    if (n >= LANES) {
        FN(store)(p, x);
        return;
    }
#if defined(__AVX512F__) && DOUBLE
    _mm512_mask_storeu_pd(p, (__mmask8)((1u << n) - 1), (__m512d)x);
#elif defined(__AVX512F__)
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)x);
#else
    REAL all[VECTOR_BYTES / sizeof(REAL) + 1];
    FN(store)(all, x);
    for (index_t i = 0; i < n; i++) p[i] = all[i];
#endif
}

/* max(x, low) and min(x, high), of a number and of a vector; NaN for NaN. */
static inline REAL FN(at_least)(REAL x, REAL low) { return x < low ? low : x; }
static inline REAL FN(at_most)(REAL x, REAL high) { return x > high ? high : x; }

#if VECTOR_BYTES
/* a where the comparison `where` of two vectors holds, else b. */
#define SELECT(where, a, b) ((FN(vec))(((where) & (__typeof__(where))(a)) | (~(where) & (__typeof__(where))(b))))
#endif

ALWAYS_INLINE FN(vec) FN(vec_at_least)(FN(vec) x, REAL low) {
#if defined(__AVX512F__) && DOUBLE
    return (FN(vec))_mm512_max_pd(_mm512_set1_pd(low), (__m512d)x); /* the second operand where one is NaN */
#elif defined(__AVX512F__)
    return (FN(vec))_mm512_max_ps(_mm512_set1_ps(low), (__m512)x);
#elif VECTOR_BYTES
    return SELECT(x < low, FN(broadcast)(low), x);
#else
    return FN(at_least)(x, low);
#endif
}

ALWAYS_INLINE FN(vec) FN(vec_at_most)(FN(vec) x, REAL high) {
#if defined(__AVX512F__) && DOUBLE
    return (FN(vec))_mm512_min_pd(_mm512_set1_pd(high), (__m512d)x);
#elif defined(__AVX512F__)
    return (FN(vec))_mm512_min_ps(_mm512_set1_ps(high), (__m512)x);
#elif VECTOR_BYTES
    return SELECT(x > high, FN(broadcast)(high), x);
#else
    return FN(at_most)(x, high);
#endif
}

/* x where the condition's number is positive, else 0. */
ALWAYS_INLINE FN(vec) FN(where_positive)(FN(vec) condition, FN(vec) x) {
#if VECTOR_BYTES
    return SELECT(condition > 0, x, FN(zero)());
#else
    return condition > 0 ? x : 0;
#endif
}

/* One square of LANES x LANES numbers transposed, of which `rows` x `columns` are there and zeros stand for the other
 * columns: to(k, j) = from[k * down + j * along], down being 1 where the vectors are to have their use. */
ALWAYS_INLINE void FN(turn)(index_t rows, index_t columns, const REAL *from, index_t down, index_t along, REAL *to,
                            index_t ldto) {
    if (rows > LANES) rows = LANES;
#if defined(__AVX512F__) && !DOUBLE
    if (down == 1) {
        /* in each of four stages, rows s apart exchange the blocks of s numbers that lie off the diagonal */
        __m512 x[16];
        for (int j = 0; j < 16; j++)
            x[j] = j < columns ? (__m512)FN(load_first)(from + j * along, rows) : _mm512_setzero_ps();
        const __m512i i = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#define STAGE(s)                                                                                                       \
    {                                                                                                                  \
        const __mmask16 odd = _mm512_test_epi32_mask(i, _mm512_set1_epi32(s));                                         \
        const __m512i low = _mm512_mask_add_epi32(i, odd, i, _mm512_set1_epi32(16 - (s)));                             \
        const __m512i high =                                                                                           \
            _mm512_mask_add_epi32(_mm512_add_epi32(i, _mm512_set1_epi32(s)), odd, i, _mm512_set1_epi32(16));           \
        for (int j = 0; j < 16; j++)                                                                                   \
            if (!(j & (s))) {                                                                                          \
                const __m512 a = x[j], b = x[j + (s)];                                                                 \
                x[j] = _mm512_permutex2var_ps(a, low, b);                                                              \
                x[j + (s)] = _mm512_permutex2var_ps(a, high, b);                                                       \
            }                                                                                                          \
    }
        STAGE(8)
        STAGE(4)
        STAGE(2)
        STAGE(1)
#undef STAGE
        for (int k = 0; k < 16; k++)
            if (k < rows) _mm512_storeu_ps(to + k * ldto, x[k]);
        return;
    }
#endif
    if (columns > LANES) columns = LANES;
    for (index_t j = 0; j < LANES; j++)
        for (index_t k = 0; k < rows; k++) to[k * ldto + j] = j < columns ? from[k * down + j * along] : 0;
}
