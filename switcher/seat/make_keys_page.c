// Makes roundhouse-seat(8): the page named by the argument, with the hotkeys in place of its line @HOTKEYS@.
#include <stdio.h>
#include <string.h>

#include "hotkey.h"
#include "hotkey_table.h"

#define PLACE "@HOTKEYS@\n"

static void print_modifiers(unsigned modifiers)
{
    static const char *const names[] = {"Ctrl", "Alt", "Shift", "Meta", "AltGr"}; // by bit
    for (unsigned bit = 0; bit < 5; bit++)
        if (modifiers >> bit & 1)
            printf("%s+", names[bit]);
}

static void print_chord(unsigned modifiers, const char *key)
{
    print_modifiers(modifiers);
    putchar(key[0]);
    for (const char *letter = key + 1; *letter; letter++)
        putchar(*letter | 0x20); // LEFT: Left
}

static void print_hotkey(unsigned modifiers, const char *first, const char *last, const char *about)
{
    printf(".TP\n.B ");
    print_chord(modifiers, first);
    if (strcmp(first, last) != 0) {
        printf(" \\fR...\\fB ");
        print_chord(modifiers, last);
    }
    printf("\n%s\n", about);
}

#define PRINT(modifiers, first, last, act, about) print_hotkey(modifiers, #first, #last, about);

static void print_hotkeys(void)
{
    HOTKEYS(PRINT)
}

int main(int argc, char **argv)
{
    FILE *page = argc == 2 ? fopen(argv[1], "r") : NULL;
    char line[512];
    bool found = false;
    while (page && fgets(line, sizeof(line), page)) {
        if (strcmp(line, PLACE) == 0) {
            print_hotkeys();
            found = true;
        } else {
            fputs(line, stdout);
        }
    }
    if (!found)
        fprintf(stderr, "make-keys-page: want a page with a line %s", PLACE);
    return !found;
}
