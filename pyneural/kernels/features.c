/* What the processor, and the operating system that saves its registers, can run. */
#include "dispatch.h"
#include <string.h>

#ifdef PYNEURAL_X86
typedef struct {
    const char *name;  /* as Linux's /proc/cpuinfo has it */
    int leaf, subleaf; /* of CPUID */
    int reg, bit;      /* 0 to 3: EAX to EDX */
    unsigned saved;    /* bits of XCR0: the registers that the operating system must save */
} feature;

enum { YMM = 0x6, ZMM = 0xe6, TILES = 0x60000 };

static const feature features[] = {
    {"avx", 1, 0, 2, 28, YMM},
    {"fma", 1, 0, 2, 12, YMM},
    {"f16c", 1, 0, 2, 29, YMM},
    {"avx2", 7, 0, 1, 5, YMM},
    {"avx512f", 7, 0, 1, 16, ZMM},
    {"avx512dq", 7, 0, 1, 17, ZMM},
    {"avx512bw", 7, 0, 1, 30, ZMM},
    {"avx512vl", 7, 0, 1, 31, ZMM},
    {"avx512_vnni", 7, 0, 2, 11, ZMM},
    {"avx512_bf16", 7, 1, 0, 5, ZMM},
    {"avx512_fp16", 7, 0, 3, 23, ZMM},
    {"amx_tile", 7, 0, 3, 24, TILES}, /* Linux asks a process for one more call (arch_prctl) before it uses tiles */
    {"amx_bf16", 7, 0, 3, 22, TILES},
    {"amx_int8", 7, 0, 3, 25, TILES},
};
enum { FEATURES = sizeof features / sizeof *features };

#ifdef _MSC_VER
#include <intrin.h>
static void cpuid(int leaf, int subleaf, int r[4]) { __cpuidex(r, leaf, subleaf); }
static unsigned saved_registers(void) { return (unsigned)_xgetbv(0); }
#else
#include <cpuid.h>
static void cpuid(int leaf, int subleaf, int r[4]) { __cpuid_count(leaf, subleaf, r[0], r[1], r[2], r[3]); }
static unsigned saved_registers(void) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
#ifdef __APPLE__
    if ((low & YMM) == YMM) low |= ZMM; /* macOS turns these on at their first use */
#endif
    return low;
}
#endif

static int has(const feature *f) {
    int r[4];
    cpuid(0, 0, r);
    if (r[0] < f->leaf) return 0;
    cpuid(1, 0, r);
    if (!(r[2] & (1 << 27)) || (saved_registers() & f->saved) != f->saved) return 0; /* 27: xgetbv may be asked */
    cpuid(f->leaf, 0, r);
    if (f->subleaf) {
        if (r[0] < f->subleaf) return 0;
        cpuid(f->leaf, f->subleaf, r);
    }
    return (unsigned)r[f->reg] >> f->bit & 1;
}

int cpu_has(const char *name) {
    for (int i = 0; i < FEATURES; i++)
        if (!strcmp(features[i].name, name)) return has(&features[i]);
    return 0;
}

const char *cpu_feature(int number) { return number < FEATURES ? features[number].name : NULL; }

void cpu_name(char name[49]) {
    int r[4];
    memset(name, 0, 49);
    cpuid((int)0x80000000, 0, r);
    if ((unsigned)r[0] < 0x80000004) return;
    for (int i = 0; i < 3; i++) {
        cpuid((int)(0x80000002 + i), 0, r);
        memcpy(name + 16 * i, r, 16);
    }
}
#else
int cpu_has(const char *name) { return (void)name, 0; }
const char *cpu_feature(int number) { return (void)number, NULL; }
void cpu_name(char name[49]) { name[0] = 0; }
#endif
