/*
 * Fuzz target: a file that somebody wants to make a guest from. The input is a list of bytes to change in one that has
 * all that the recognisers look at, four bytes each: which area, where in it (two), and the new byte.
 */
#include "medium.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SECTOR    2048
#define FILE_SIZE (300 * SECTOR)
#define CHANGES   16

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes);

static const uint64_t areas[] = {0,           512,          16 * SECTOR,  17 * SECTOR,
                                 18 * SECTOR, 256 * SECTOR, 257 * SECTOR, FILE_SIZE - 512};

static uint8_t *file_bytes;
static int file = -1;

static void make_file(void)
{
    file = memfd_create("medium", MFD_CLOEXEC);
    if (file < 0 || ftruncate(file, FILE_SIZE) < 0)
        abort();
    file_bytes = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (file_bytes == MAP_FAILED)
        abort();
    memcpy(file_bytes + 16 * SECTOR, "\1CD001", 6);
    memcpy(file_bytes + 17 * SECTOR, "\0CD001\1EL TORITO SPECIFICATION", 30);
    memcpy(file_bytes + 18 * SECTOR, "\377CD001", 6);
    file_bytes[256 * SECTOR] = 2;
    file_bytes[256 * SECTOR + 18] = 1;
    file_bytes[256 * SECTOR + 21] = 1;
    file_bytes[257 * SECTOR] = 5;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes)
{
    struct {
        uint64_t at;
        uint8_t was;
    } changes[CHANGES];
    size_t count = 0;
    struct medium medium;
    GError *error = NULL;
    if (file < 0)
        make_file();
    for (; count < CHANGES && bytes >= 4 * (count + 1); count++) {
        const uint8_t *change = input + 4 * count;
        uint64_t place = (uint64_t)(change[1] | change[2] << 8) % (change[0] & 0x80 ? 64 : 512);
        changes[count].at = areas[change[0] % (sizeof(areas) / sizeof(areas[0]))] + place;
        changes[count].was = file_bytes[changes[count].at];
        file_bytes[changes[count].at] = change[3];
    }
    bool good = medium_read(file, &medium, &error);
    if (good == (error != NULL))
        abort();
    if (memchr(medium.volume, 0, sizeof(medium.volume)) == NULL || medium.kind >= MEDIUM_KIND_COUNT)
        abort();
    g_clear_error(&error);
    while (count--)
        file_bytes[changes[count].at] = changes[count].was;
    return 0;
}
