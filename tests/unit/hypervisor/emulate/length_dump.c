/*
 * Reads slots of 32 bytes from stdin, an instruction at the start of each, and prints the length that the emulator sees
 * in the code size given as argument (2, 4, 8). For length_test.py.
 */
#include <hv/instruction.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    uint8_t slot[32];
    unsigned code_bytes = argc == 2 ? (unsigned)atoi(argv[1]) : 0;
    if (code_bytes != 2 && code_bytes != 4 && code_bytes != 8)
        return 2;
    while (fread(slot, sizeof(slot), 1, stdin) == 1)
        printf("%u\n", instruction_length(slot, 15, code_bytes));
    return 0;
}
