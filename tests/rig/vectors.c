/* Keeps a pattern of its own in the vector registers for some seconds and counts how often they come back changed: run
 * in Domain-0 and in a guest at once, it finds a switch that does not carry the registers over. vectors SEED SECONDS */
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SPIN = 200000 };

/* Loads eight registers, spins without touching them, stores them. */
#define ROUND(load, store, reg, width)                                                                                 \
    for (int i = 0; i < 8; i++)                                                                                        \
        memset(want + i * 32, seed + i, width);                                                                        \
    __asm__ volatile(load " (%1), %%" reg "0\n\t" load " 32(%1), %%" reg "1\n\t" load " 64(%1), %%" reg "2\n\t" load   \
                          " 96(%1), %%" reg "3\n\t" load " 128(%1), %%" reg "4\n\t" load " 160(%1), %%" reg            \
                          "5\n\t" load " 192(%1), %%" reg "6\n\t" load " 224(%1), %%" reg "7\n\t"                      \
                          "1: dec %0\n\tjnz 1b\n\t" store " %%" reg "0, (%2)\n\t" store " %%" reg                      \
                          "1, 32(%2)\n\t" store " %%" reg "2, 64(%2)\n\t" store " %%" reg "3, 96(%2)\n\t" store        \
                          " %%" reg "4, 128(%2)\n\t" store " %%" reg "5, 160(%2)\n\t" store " %%" reg                  \
                          "6, 192(%2)\n\t" store " %%" reg "7, 224(%2)"                                                \
                     : "+r"(spin)                                                                                      \
                     : "r"(want), "r"(got)                                                                             \
                     : "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7")

static uint8_t want[256] __attribute__((aligned(32))), got[256] __attribute__((aligned(32)));

static int round_changed(int seed, int wide)
{
    long spin = SPIN;

    memset(want, 0, sizeof want);
    memset(got, 0, sizeof got);
    if (wide) {
        ROUND("vmovdqu", "vmovdqu", "ymm", 32);
    } else {
        ROUND("movdqu", "movdqu", "xmm", 16);
    }
    return memcmp(want, got, sizeof want) != 0;
}

int main(int argc, char **argv)
{
    int seed = argc > 1 ? atoi(argv[1]) : 1, seconds = argc > 2 ? atoi(argv[2]) : 10;
    int wide = __builtin_cpu_supports("avx") != 0;
    unsigned rounds = 0, narrow_bad = 0, wide_bad = 0;

    for (time_t end = time(NULL) + seconds; time(NULL) < end; rounds++) {
        narrow_bad += round_changed(seed, 0);
        if (wide)
            wide_bad += round_changed(seed, 1);
    }
    fprintf(stderr, "vectors: %u rounds, SSE changed %u, AVX %s changed %u\n", rounds, narrow_bad,
            wide ? "present" : "absent", wide_bad);
    printf("%s\n", !rounds ? "vectors did not run" : narrow_bad || wide_bad ? "vectors changed" : "vectors kept");
    return 0;
}
