/*
 * Runs a fuzz target on inputs that are the same in every run, for the unit suite. To search further, link the target
 * with libFuzzer instead:
 *   clang -fsanitize=fuzzer,address,undefined -Ihypervisor/include tests/fuzz/emulate_fuzz.c
 *     tests/unit/hypervisor/emulate/machine.c hypervisor/emulate/(all).c
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define INPUT_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes);

static uint64_t seed = 0x2545f4914f6cdd1d;

static uint64_t chance(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * 0x9e3779b97f4a7c15;
}

int main(int argc, char **argv)
{
    unsigned long inputs = argc > 1 ? strtoul(argv[1], NULL, 0) : 300000;
    uint8_t input[INPUT_MAX];
    for (unsigned long n = 0; n < inputs; n++) {
        size_t bytes = (size_t)(chance() >> 32) % (INPUT_MAX + 1);
        for (unsigned i = 0; i < INPUT_MAX; i += 8) {
            uint64_t value = chance();
            for (unsigned b = 0; b < 8; b++)
                input[i + b] = (uint8_t)(value >> 8 * b);
        }
        LLVMFuzzerTestOneInput(input, bytes);
    }
    printf("%lu inputs\n", inputs);
    return 0;
}
